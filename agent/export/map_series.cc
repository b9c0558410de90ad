// SPDX-License-Identifier: Apache-2.0
#include "agent/export/map_series.h"

namespace mapscope {
namespace {

// A room has a handful of kinds and triggers, so a linear search is the fastest.
uint64_t& count_of(std::vector<MapSeries::KindCount>& counts, std::string_view kind,
                   std::string_view trigger) {
  for (MapSeries::KindCount& entry : counts) {
    if (entry.kind == kind && entry.trigger == trigger) return entry.count;
  }
  return counts.emplace_back(MapSeries::KindCount{kind, trigger, 0}).count;
}

}  // namespace

void MapSeries::add(const Resize& resize) {
  ++count_of(resizes, resize.kind, resize.trigger);
  if (resize.wall_ns) duration.observe(kDurationBoundsNs, *resize.wall_ns);
  if (resize.stall_ns) stall.observe(kDurationBoundsNs, *resize.stall_ns);
  if (resize.entries) entries.observe(kEntriesBounds, *resize.entries);
  if (resize.new_bytes) {
    bytes_known = true;
    new_bytes += *resize.new_bytes;
  }
  if (resize.thread) {
    thread_known = true;
    for (size_t i = 0; i < state_ns.size(); ++i) state_ns[i] += resize.thread->state_ns[i];
    minor_faults += resize.thread->minor_faults;
    major_faults += resize.thread->major_faults;
  }
  if (resize.blocked) {
    blocked_known = true;
    blocked_threads += resize.blocked->threads;
    blocked_ns += resize.blocked->ns;
  }
}

}  // namespace mapscope
