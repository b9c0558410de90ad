// SPDX-License-Identifier: Apache-2.0
// What Watcher does about probes that cost a target more than they may.
#include <algorithm>
#include <cmath>
#include <string>

#include "agent/base/log.h"
#include "agent/export/text.h"
#include "agent/export/wall_clock.h"
#include "agent/watcher.h"

namespace mapscope {
namespace {

// What comes after what has been taken off already.
Relief next_relief(Relief now, Mode mode) {
  switch (now) {
    case Relief::kNone:
      return Relief::kStacks;
    case Relief::kStacks:
      return Relief::kTimes;
    case Relief::kTimes:
      return mode == Mode::kResizes ? Relief::kAll : Relief::kMode;
    case Relief::kMode:
    case Relief::kAll:
      return Relief::kAll;
  }
  return Relief::kAll;
}

std::string step_name(Relief relief) {
  if (relief == Relief::kStacks) return "stacks";
  if (relief == Relief::kTimes) return "times";
  return relief == Relief::kMode ? "mode" : "pause";
}

std::string consequence(Relief relief) {
  switch (relief) {
    case Relief::kStacks:
      return "no whole stacks for a while; call sites are known without";
    case Relief::kTimes:
      return "how long inserts are held up is not measured for a while";
    default:
      return "back to --mode resizes";
  }
}

}  // namespace

// Of a scrape, too: targets_ is the main thread's.
OverheadGuard::Metered Watcher::metered(uint32_t id, const Watched& watched) {
  return {id, watched.pid, watched.slot, &watched.labels};
}

std::vector<OverheadGuard::Metered> Watcher::all_metered() const {
  std::vector<OverheadGuard::Metered> targets;
  targets.reserve(watched_.size());
  for (const auto& [id, watched] : watched_) targets.push_back(metered(id, watched));
  return targets;
}

void Watcher::drop_open_resizes(const Attachment& attachment) {
  for (const auto& [id, watched] : watched_) {
    const bool holds = std::ranges::any_of(
        watched.attachments, [&](const auto& held) { return held.get() == &attachment; });
    if (holds) programs_->expire_open_resizes(id);
  }
}

void Watcher::count_probes() {
  for (const auto& [id, watched] : watched_) {
    Target* target = targets_->find(id);
    if (target == nullptr) continue;
    target->probes = 0;
    for (const auto& attachment : watched.attachments) target->probes += attachment->probe_count();
  }
}

std::vector<Pause> Watcher::take_pauses(uint64_t now_ns) {
  std::vector<Pause> pauses;
  for (auto& [id, watched] : watched_) {
    const auto off = std::ranges::find_if(watched.attachments, [](const auto& attachment) {
      return attachment->relief() == Relief::kAll;
    });
    const bool paused = off != watched.attachments.end();
    const Target* target = targets_->find(id);
    if (paused == watched.paused || target == nullptr) continue;
    watched.paused = paused;
    Pause& pause = pauses.emplace_back(Pause{target, paused, now_ns, {}, 0, {}});
    if (!paused) continue;
    pause.until_ns = (*off)->resume_ns();
    const PauseOrigin& origin = origins_[off->get()];
    if (origin.id == id) {
      pause.share = origin.share;
    } else {
      pause.cause = origin.process;
    }
  }
  return pauses;
}

void Watcher::relieve(const OverheadGuard::Excess& excess, uint64_t now_ns) {
  const Watched& watched = watched_.at(excess.id);
  Relief relief = Relief::kAll;
  for (const auto& attachment : watched.attachments) {
    // What was measured is from before that, maybe because of another process of the file.
    if (now_ns - attachment->relieved_ns() <= OverheadGuard::kEveryNs) return;
    relief = std::min(relief, attachment->relief());
  }
  bool relieved = false;
  while (!relieved && relief != Relief::kAll) {
    relief = next_relief(relief, mode_);
    for (const auto& attachment : watched.attachments) {
      if (attachment->relief() >= relief || !attachment->relieve(relief, now_ns)) continue;
      relieved = true;
      if (relief != Relief::kAll) continue;
      drop_open_resizes(*attachment);
      origins_[attachment.get()] = {excess.id, excess.share, {}};
    }
  }
  if (!relieved) return;
  guard_.count_relief(watched.labels, step_name(relief));
  count_probes();
  const Target* target = targets_->find(excess.id);
  if (target == nullptr) return;
  for (auto& [attachment, origin] : origins_) {
    if (origin.id == excess.id) origin.process = {target->pid, target->comm};
  }
  // A pause is an event, which says so.
  if (relief != Relief::kAll) {
    log_warn("pid {} ({}): probes take {} % of its CPU time, more than --overhead-budget: {}",
             target->pid, printable(target->comm), std::lround(excess.share * 100),
             consequence(relief));
  }
}

void Watcher::resume_paused(uint64_t now_ns) {
  bool resumed = false;
  for (const auto& [id, watched] : watched_) {
    for (const auto& attachment : watched.attachments) {
      if (attachment->resume_lasting(now_ns)) {
        resumed = true;
        log_info("pid {} ({}): whole stacks and times again", watched.pid,
                 printable(watched.labels.process));
      }
      if (!attachment->is_resume_due(now_ns)) continue;
      drop_open_resizes(*attachment);
      if (auto done = attachment->resume(now_ns); !done) {
        log_warn("{}", printable(done.error().text));
        continue;
      }
      resumed = true;
      origins_.erase(attachment.get());
    }
  }
  if (resumed) count_probes();
}

std::vector<Pause> Watcher::guard(uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  if (!guard_.is_due(now_ns)) return {};
  resume_paused(now_ns);
  for (const OverheadGuard::Excess& excess : guard_.look(now_ns, all_metered()))
    relieve(excess, now_ns);
  return take_pauses(now_ns);
}

void Watcher::end_mode() {
  const std::lock_guard lock(mutex_);
  mode_ended_ = true;
  for (const auto& [id, watched] : watched_) {
    for (const auto& attachment : watched.attachments)
      attachment->relieve(Relief::kMode, monotonic_now_ns());
  }
  count_probes();
}

}  // namespace mapscope
