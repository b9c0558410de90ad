// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "agent/base/log.h"
#include "agent/export/text.h"
#include "agent/export/wall_clock.h"

namespace mapscope {
namespace {

constexpr uint64_t kVanishedNs = 5'000'000'000;
constexpr uint64_t kVanishedNamedNs = 1'000'000'000;
constexpr uint64_t kRetryNs = 1'000'000'000;
// Without the kernel's records of mappings, every so many scans look for them.
constexpr uint32_t kScansPerLook = 10;

}  // namespace

Discovery::Discovery(const Selection& selection, Named named, Watcher& watcher,
                     TargetTable& targets, OnTarget on_target, Drain drain)
    : selection_(selection),
      wanted_(std::move(named)),
      watcher_(&watcher),
      targets_(&targets),
      on_target_(std::move(on_target)),
      drain_(std::move(drain)),
      self_(::getpid()) {}

Status Discovery::start(std::optional<MappingEvents> mappings) {
  const uint64_t begun_ns = monotonic_now_ns();
  mappings_ = std::move(mappings);
  for (const pid_t pid : wanted_.pids) name(pid);
  if (wanted_.command != 0) name(wanted_.command);
  scan(false);
  starting_ = false;
  log_info("{} processes looked at in {} ms", seen_.size(),
           (monotonic_now_ns() - begun_ns) / 1'000'000);
  const bool may_come = selection_.active() || wanted_.command != 0 || has_waiting();
  if (!may_come && watcher_->attached() == 0 && first_error_) return *first_error_;
  return Done{};
}

void Discovery::scan(bool again) {
  scanned_ns_ = monotonic_now_ns();
  ++scans_;
  if (command_waits()) consider_children(wanted_.command);
  const auto listed = discovers() ? list_processes() : list_wanted();
  if (!listed) return lose_proc(listed.error());
  const std::set<pid_t> running(listed->begin(), listed->end());
  for (const pid_t pid : running) consider(pid, again);
  std::vector<uint32_t> vanished;
  std::erase_if(seen_, [&](const auto& entry) {
    if (running.contains(entry.first)) return false;
    if (entry.second.target != 0) vanished.push_back(entry.second.target);
    return true;
  });
  end_found(vanished);
}

void Discovery::consider(pid_t pid, bool again, bool drained) {
  if (pid == self_) return;
  const uint64_t looked_ns = monotonic_now_ns();
  auto glimpse = glimpse_process(pid);
  if (!glimpse) {
    if (auto readable = check_proc(); !readable) lose_proc(readable.error());
    return;
  }
  if (const auto known = seen_.find(pid); known != seen_.end()) {
    Seen& seen = known->second;
    // The name may change at any time, which makes no other program of it.
    glimpse->comm = seen.glimpse.comm;
    if (seen.glimpse == *glimpse) {
      // Not at each of the mappings that a process begins with.
      if (seen.again && looked_ns - seen.looked_ns >= kRetryNs) {
        end(seen.target);
        seen.target = 0;
        seen.looked_ns = looked_ns;
        return watch(pid, seen);
      }
      if (again) extend(pid, looked_ns);
      return;
    }
    if (!drained && is_behind(seen)) {
      drain_();
      return consider(pid, again, true);
    }
    end(seen.target);
  }
  Seen& seen = seen_[pid];
  seen = {.glimpse = std::move(*glimpse), .looked_ns = looked_ns};
  if (!is_wanted(pid, seen)) return;
  settle(pid, seen);
  seen.wanted = is_wanted(pid, seen);
  if (seen.wanted) watch(pid, seen);
}

bool Discovery::is_wanted(pid_t pid, const Seen& seen) const {
  return is_named(pid, seen.glimpse.start_ticks) || is_of_command(pid) ||
         selection_.matches(seen.glimpse.exe, seen.glimpse.comm);
}

// Else the record of an exec that came in the middle of a look is taken for one that came after it,
// and the program that was attached already is attached again.
void Discovery::settle(pid_t pid, Seen& seen) {
  constexpr int kMaxLooks = 8;
  for (int look = 0; look < kMaxLooks; ++look) {
    const uint64_t looked_ns = monotonic_now_ns();
    auto glimpse = glimpse_process(pid);
    if (!glimpse) return;
    seen.looked_ns = looked_ns;
    if (*glimpse == seen.glimpse) return;
    seen.glimpse = std::move(*glimpse);
  }
}

void Discovery::watch(pid_t pid, Seen& seen) {
  const bool named = is_named(pid, seen.glimpse.start_ticks);
  const bool first = !seen.no_map;
  const uint32_t known = first ? 0 : seen.target;
  const uint32_t before = targets_->last_id();
  // A command may be about to execute what is meant.
  const bool loud = named && first && pid != wanted_.command;
  auto target = watcher_->watch(pid, loud ? Interest::kNamed : Interest::kEverybody, known);
  seen.again = seen.no_map = false;
  if (target) {
    seen.target = (*target)->id;
    if ((*target)->exe != seen.glimpse.exe) settle(pid, seen);
    if (named || is_of_command(pid)) note_watched();
    on_target_(**target);
    return consider_children(pid);
  }
  const Error& error = target.error();
  seen.again = error.kind == ErrorKind::kNotFound || error.kind == ErrorKind::kSystem;
  seen.no_map = error.label == Watcher::kNoMap;
  if (seen.no_map && !first) return;
  tell(pid, seen, error);
  if (known == 0 && targets_->last_id() == before) return;
  if (known == 0) seen.target = targets_->last_id();
  if (const Target* refused = targets_->find(seen.target)) on_target_(*refused);
}

void Discovery::tell(pid_t pid, const Seen& seen, const Error& error) {
  const bool named = is_named(pid, seen.glimpse.start_ticks);
  const bool by_name = named || selection_.matches_by_name(seen.glimpse.exe, seen.glimpse.comm);
  if (error.label == Watcher::kEnded || (error.label == Watcher::kNoMap && !by_name))
    return log_debug("{}", printable(error.text));
  if (named) return tell_named(pid, error);
  // Later on it may be on its way to its libraries.
  if ((by_name && starting_) || error.kind == ErrorKind::kSystem) {
    log_warn("{}", printable(error.text));
  } else {
    log_info("{}", printable(error.text));
  }
}

// One that was forked while its parent was being attached has no record.
void Discovery::consider_children(pid_t pid) {
  for (const pid_t child : list_children(pid)) consider(child, false);
}

void Discovery::end(uint32_t id) {
  const Target* target = id == 0 ? nullptr : targets_->find(id);
  if (target == nullptr || target->state == TargetState::kGone) return;
  if (target->state == TargetState::kAttached) {
    watcher_->forget(id);
  } else {
    targets_->mark_gone(id);
  }
  on_target_(*target);
}

bool Discovery::is_behind(const Seen& seen) const {
  if (in_record_) return false;
  const Target* target = targets_->find(seen.target);
  return target != nullptr && target->state == TargetState::kAttached &&
         !watcher_->is_counted(*target);
}

void Discovery::end_found(const std::vector<uint32_t>& targets) {
  if (targets.empty()) return;
  drain_();
  for (const uint32_t id : targets) end(id);
}

void Discovery::on_process(const ms_process_record& record) {
  in_record_ = true;
  take_record(record);
  in_record_ = false;
}

void Discovery::take_record(const ms_process_record& record) {
  const auto pid = static_cast<pid_t>(record.header.tgid);
  if (record.event == MS_PROCESS_FORK) return consider(pid, false);
  const auto known = seen_.find(pid);
  const bool is_its = known != seen_.end() &&
                      (record.header.target == known->second.target || record.header.target == 0);
  // Read after it happened: it is known already.
  const bool known_already =
      record.header.target == 0 && known != seen_.end() && known->second.looked_ns > record.time_ns;
  if (known_already) return;
  end(record.header.target);
  if (is_its) {
    end(known->second.target);
    seen_.erase(known);
    if (record.event == MS_PROCESS_EXIT) named_.erase(pid);
  }
  if (record.event == MS_PROCESS_EXEC) consider(pid, false);
}

void Discovery::lose_proc(const Error& error) {
  if (!proc_lost_)
    log_warn("{}; processes that come are not found until it can", printable(error.text));
  proc_lost_ = true;
}

// What came meanwhile is there to be found.
void Discovery::retry_proc() {
  if (!check_proc()) return;
  proc_lost_ = false;
  log_info("/proc can be read again");
  scan(false);
}

void Discovery::tick(uint64_t now_ns) {
  if (proc_lost_ && now_ns - scanned_ns_ >= kRetryNs) {
    scanned_ns_ = now_ns;
    retry_proc();
  }
  take_mappings(now_ns);
  tick_named(now_ns);
  if (now_ns - looked_ns_ >= (discovers() ? kVanishedNs : kVanishedNamedNs)) {
    looked_ns_ = now_ns;
    forget_vanished();
  }
  if (now_ns - scanned_ns_ < kRescanNs && !mappings_lost_) return;
  const bool again = mappings_lost_ || (!mappings_ && scans_ % kScansPerLook == 0);
  mappings_lost_ = false;
  scan(again);
}

// The end of one that is not attached has no record, and that of one that is may be lost.
void Discovery::forget_vanished() {
  std::vector<uint32_t> vanished;
  for (const auto& [id, target] : targets_->all()) {
    if (target->state != TargetState::kGone && !is_running(target->pid, target->start_ticks))
      vanished.push_back(id);
  }
  end_found(vanished);
}

void Discovery::drain_mappings(uint64_t now_ns) {
  if (!mappings_) return;
  // A process that maps much is asked after once.
  std::map<pid_t, bool> wanted;
  const bool complete = mappings_->drain([&](const MappingEvent& event) {
    if (event.pid == self_ || event.inode == 0) return;
    const auto empty = empty_.find({event.dev, event.inode, event.generation});
    if (empty != empty_.end() && empty->second > now_ns) return;
    const auto [verdict, is_new] = wanted.try_emplace(event.pid);
    if (is_new) verdict->second = mapped_.contains(event.pid) || may_be_wanted(event.pid);
    if (verdict->second) mapped_[event.pid].push_back(event);
  });
  if (!complete) mappings_lost_ = true;
}

bool Discovery::may_be_wanted(pid_t pid) const {
  const auto known = seen_.find(pid);
  if (known != seen_.end()) return known->second.wanted;
  return discovers() || is_of_command(pid);
}

void Discovery::extend_targets(uint64_t now_ns) {
  drain_mappings(now_ns);
  std::erase_if(mapped_, [&](const auto& entry) {
    const auto& [pid, events] = entry;
    const auto known = seen_.find(pid);
    const Target* target = known == seen_.end() ? nullptr : targets_->find(known->second.target);
    if (target == nullptr || target->state != TargetState::kAttached) return false;
    extend(pid, now_ns);
    remember_empty(events, now_ns);
    return true;
  });
}

void Discovery::take_mappings(uint64_t now_ns) {
  extend_targets(now_ns);
  const std::set<pid_t> strangers = std::exchange(strangers_, {});
  for (auto& [pid, events] : std::exchange(mapped_, {})) {
    // It may be in the middle of an exec, whose record comes when all is mapped.
    if (!strangers.contains(pid)) {
      strangers_.insert(pid);
      mapped_[pid] = std::move(events);
      continue;
    }
    // Of one without a map nobody tells that it executes another program.
    consider(pid, true);
    remember_empty(events, now_ns);
  }
}

void Discovery::remember_empty(const std::vector<MappingEvent>& events, uint64_t now_ns) {
  if (empty_.size() >= kMaxEmpty) empty_.clear();
  for (const MappingEvent& event : events) {
    const bool has_nothing = std::ranges::any_of(
        watcher_->empty_files(),
        [&](const MappedFile& file) { return file.dev == event.dev && file.inode == event.inode; });
    if (has_nothing) empty_[{event.dev, event.inode, event.generation}] = now_ns + kEmptyNs;
  }
}

// A process that is known has mapped more.
void Discovery::extend(pid_t pid, uint64_t looked_ns) {
  const auto known = seen_.find(pid);
  if (known == seen_.end() || !known->second.wanted) return;
  Seen& seen = known->second;
  const Target* target = targets_->find(seen.target);
  if (target == nullptr || target->state != TargetState::kAttached) {
    if (target != nullptr && target->state == TargetState::kUnsupported && !seen.no_map) return;
    seen.looked_ns = looked_ns;
    return watch(pid, seen);
  }
  const auto added = watcher_->extend(seen.target);
  if (!added) return log_info("{}", printable(added.error().text));
  if (*added) on_target_(*target);
}

}  // namespace mapscope
