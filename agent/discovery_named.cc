// SPDX-License-Identifier: Apache-2.0
// What Discovery knows of the processes that somebody named, and of the agent's own command.
#include <algorithm>
#include <utility>

#include "agent/base/log.h"
#include "agent/discovery.h"
#include "agent/export/text.h"
#include "agent/export/wall_clock.h"

namespace mapscope {
namespace {

constexpr uint64_t kAskNs = 200'000'000;
constexpr uint64_t kWaitNs = 1'000'000'000;
// A command that only starts another one (env, a shell) has done so by then.
constexpr uint64_t kPatienceNs = 2'000'000'000;

}  // namespace

void Discovery::name(pid_t pid) {
  if (pid == self_)
    return tell_named(pid, {ErrorKind::kUsage, "pid " + std::to_string(pid) + ": is this agent"});
  if (const auto glimpse = glimpse_process(pid)) {
    named_.emplace(pid, glimpse->start_ticks);
    return;
  }
  // It says why.
  if (const auto target = watcher_->watch(pid); !target) tell_named(pid, target.error());
}

bool Discovery::is_named(pid_t pid, uint64_t start_ticks) const {
  const auto named = named_.find(pid);
  return named != named_.end() && named->second == start_ticks;
}

// One that cannot be watched is an error, and then said by whoever gets that, if there is no other.
void Discovery::tell_named(pid_t pid, const Error& error) {
  if (!first_error_) first_error_ = error;
  const bool waits = error.label == Watcher::kNoMap;
  if (waits && pid == wanted_.command) {
    unsaid_ = error;
    unsaid_ns_ = monotonic_now_ns();
    return;
  }
  const bool is_only = wanted_.pids.size() == 1 && wanted_.command == 0 && !selection_.active();
  if (is_only && starting_ && !waits) return;
  const bool runs_on = !waits && pid == wanted_.command;
  log_warn("{}{}", printable(error.text),
           waits ? "; waiting for one" : (runs_on ? "; it runs all the same" : ""));
}

void Discovery::note_watched() {
  named_watched_ = true;
  unsaid_.reset();
}

std::optional<Error> Discovery::never_watched() const {
  if (named_watched_) return std::nullopt;
  return wanted_.command == 0 ? first_error_ : unsaid_;
}

bool Discovery::has_waiting() const {
  return std::ranges::any_of(seen_, [](const auto& entry) { return entry.second.is_waiting(); });
}

bool Discovery::command_waits() const {
  const auto command = seen_.find(wanted_.command);
  return command != seen_.end() && command->second.is_waiting();
}

bool Discovery::is_of_command(pid_t pid) const {
  // What a followed one leaves behind is the agent's.
  if (wanted_.follow) return is_descendant(pid, self_);
  return command_waits() && is_descendant(pid, wanted_.command);
}

// Without a selection: those that are named, and those that were found by them.
std::vector<pid_t> Discovery::list_wanted() const {
  std::vector<pid_t> pids;
  for (const auto& [pid, start_ticks] : named_) {
    if (!seen_.contains(pid)) pids.push_back(pid);
  }
  for (const auto& [pid, seen] : seen_) {
    if (is_running(pid, seen.glimpse.start_ticks)) pids.push_back(pid);
  }
  return pids;
}

// Nobody tells the end of one that is no target; and without the kernel's records, what it maps.
void Discovery::tick_named(uint64_t now_ns) {
  if (now_ns - asked_ns_ < kAskNs) return;
  asked_ns_ = now_ns;
  std::erase_if(named_, [](const auto& entry) { return !is_running(entry.first, entry.second); });
  if (unsaid_ && now_ns - unsaid_ns_ >= kPatienceNs) {
    log_warn("{}; waiting for one", printable(unsaid_->text));
    unsaid_.reset();
  }
  if (mappings_ || now_ns - waited_ns_ < kWaitNs) return;
  waited_ns_ = now_ns;
  if (command_waits()) consider_children(wanted_.command);
  for (const auto& [pid, start_ticks] : std::map(named_)) {
    const auto known = seen_.find(pid);
    if (known != seen_.end() && known->second.is_waiting()) consider(pid, true);
  }
}

}  // namespace mapscope
