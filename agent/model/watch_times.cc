// SPDX-License-Identifier: Apache-2.0
#include "agent/model/watch_times.h"

#include <algorithm>
#include <utility>

namespace mapscope {

void WatchTimes::begin(const Target& target, uint64_t now_ns) {
  const auto [found, is_new] = entries_.try_emplace(target.id);
  if (!is_new) return;
  found->second.total.pid = target.pid;
  found->second.total.comm = target.comm;
  found->second.total.exe = target.exe;
  found->second.begin_ns = now_ns;
}

void WatchTimes::add(const Pause& pause) {
  const auto found = entries_.find(pause.target->id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (pause.begins) {
    entry.total.cause = pause.cause;
    if (!entry.pause_begin_ns) entry.pause_begin_ns = pause.time_ns;
  } else if (const auto begun = std::exchange(entry.pause_begin_ns, std::nullopt)) {
    entry.paused_ns += pause.time_ns - std::min(pause.time_ns, *begun);
  }
}

void WatchTimes::end(const Target& target, uint64_t now_ns) {
  const auto found = entries_.find(target.id);
  if (found == entries_.end()) return;
  Total total = total_of(found->second, now_ns);
  entries_.erase(found);
  if (total.watched_ns == total.present_ns) return;
  if (gone_.size() < kMaxKept) {
    gone_.push_back(std::move(total));
  } else {
    ++not_kept_;
  }
}

WatchTimes::Total WatchTimes::total_of(const Entry& entry, uint64_t now_ns) {
  uint64_t paused_ns = entry.paused_ns;
  if (entry.pause_begin_ns) paused_ns += now_ns - std::min(now_ns, *entry.pause_begin_ns);
  Total total = entry.total;
  total.present_ns = now_ns - std::min(now_ns, entry.begin_ns);
  total.watched_ns = total.present_ns - std::min(total.present_ns, paused_ns);
  return total;
}

std::vector<WatchTimes::Total> WatchTimes::paused(uint64_t now_ns) const {
  std::vector<Total> all = gone_;
  for (const auto& [id, entry] : entries_) {
    Total total = total_of(entry, now_ns);
    if (total.watched_ns != total.present_ns) all.push_back(std::move(total));
  }
  std::ranges::stable_sort(all, [](const Total& a, const Total& b) {
    return a.present_ns - a.watched_ns > b.present_ns - b.watched_ns;
  });
  return all;
}

}  // namespace mapscope
