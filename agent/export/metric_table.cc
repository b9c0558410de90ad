// SPDX-License-Identifier: Apache-2.0
#include "agent/export/metric_table.h"

#include <prometheus/text_serializer.h>

#include "agent/export/insert_series.h"
#include "agent/export/metric_samples.h"
#include "agent/export/process_metrics.h"
#include "agent/runtimes/program_info.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

using Families = std::vector<prometheus::MetricFamily>;
using MapEntries = std::vector<SeriesTable<MapSeries>::Entry>;

std::string_view name_of(const Runtime* runtime) {
  return runtime == nullptr ? std::string_view() : runtime->name;
}

void append_times(const MapEntries& maps, Families& families) {
  HistogramSamples duration(Family::kResizeDuration, 1e-9);
  HistogramSamples stall(Family::kResizeStall, 1e-9);
  HistogramSamples entries(Family::kResizeEntries, 1);
  Samples states(Family::kResizeSeconds);
  constexpr std::array<std::string_view, MS_THREAD_STATES> kStates = {
      "running", "runnable", "sleeping", "uninterruptible"};
  for (const auto& [labels, map] : maps) {
    duration.add(labels, kDurationBoundsNs, map.duration);
    stall.add(labels, kDurationBoundsNs, map.stall);
    entries.add(labels, kEntriesBounds, map.entries);
    for (size_t i = 0; map.thread_known && i < kStates.size(); ++i) {
      states.add({labels[0], labels[1], labels[2], kStates[i], labels[3], labels[4]},
                 seconds(map.state_ns[i]));
    }
  }
  duration.finish(families);
  stall.finish(families);
  states.finish(families);
  entries.finish(families);
}

void append_counts(const MapEntries& maps, Families& families) {
  Samples resizes(Family::kResizes);
  Samples bytes(Family::kResizeBytes);
  Samples faults(Family::kResizePageFaults);
  Samples blocked_threads(Family::kBlockedThreads);
  Samples blocked_seconds(Family::kBlockedSeconds);
  for (const auto& [labels, map] : maps) {
    const auto& [process, runtime, map_type, container, pod] = labels;
    for (const auto& [kind, trigger, count] : map.resizes) {
      resizes.add({process, runtime, map_type, kind, trigger, container, pod}, count);
    }
    if (map.bytes_known) bytes.add({process, runtime, map_type, container, pod}, map.new_bytes);
    if (map.thread_known) {
      faults.add({process, runtime, map_type, "minor", container, pod}, map.minor_faults);
      faults.add({process, runtime, map_type, "major", container, pod}, map.major_faults);
    }
    if (map.blocked_known) {
      blocked_threads.add({process, runtime, map_type, container, pod}, map.blocked_threads);
      blocked_seconds.add({process, runtime, map_type, container, pod}, seconds(map.blocked_ns));
    }
  }
  resizes.finish(families);
  bytes.finish(families);
  faults.finish(families);
  blocked_threads.finish(families);
  blocked_seconds.finish(families);
}

// What is only counted; a family with fewer labels adds up the rest.
constexpr std::array<Family, 8> kCounted = {Family::kMapFatals,         Family::kConcurrentWrites,
                                            Family::kMapDoublings,      Family::kGoroutineStatus,
                                            Family::kSyncMapPromotions, Family::kSyncMapRebuilds,
                                            Family::kSyncMapExpansions, Family::kSyncMapMisses};

// REQUIRES: is_restructuring(kind).
Family family_of(std::string_view kind) {
  if (kind == "promotion") return Family::kSyncMapPromotions;
  if (kind == "rebuild") return Family::kSyncMapRebuilds;
  return Family::kSyncMapExpansions;
}

void append_targets(const std::vector<Target>& targets, size_t max_series, Families& families) {
  Samples info(Family::kTargetInfo, max_series);
  Samples states(Family::kTargets);
  Samples unsupported(Family::kUnsupportedTargets, max_series);
  for (const Target& target : targets) {
    states.add({name_of(target.runtime), to_string(target.state)}, uint64_t{1});
    if (target.state == TargetState::kUnsupported) unsupported.add({target.reason}, uint64_t{1});
    if (target.state != TargetState::kAttached) continue;
    for (const auto& program : target.programs) {
      info.add({target.comm, name_of(program->runtime), std::to_string(target.pid), target.exe,
                program->build_id, program->language, program->version,
                program->unverified ? "true" : "false", target.container_id, target.pod_uid},
               uint64_t{1});
    }
  }
  info.finish(families);
  states.finish(families);
  unsupported.finish(families);
}

void append_largest(const std::map<uint32_t, LargestMaps::Types>& largest,
                    const std::vector<Target>& targets, size_t max_series, Families& families) {
  Samples samples(Family::kMapLargest, max_series);
  for (const Target& target : targets) {
    const auto found = largest.find(target.id);
    if (found == largest.end()) continue;
    for (const auto& [type, bytes] : found->second)
      samples.add({target.comm, type.first, type.second, target.container_id, target.pod_uid},
                  bytes);
  }
  samples.finish(families);
}

void append_named(Family family, const std::vector<SelfStats::Count>& counts, size_t max_series,
                  Families& families) {
  Samples samples(family, max_series);
  for (const auto& [name, count] : counts) samples.add({name}, count);
  samples.finish(families);
}

void append_single(Family family, double value, Families& families) {
  Samples samples(family);
  samples.add({}, value);
  samples.finish(families);
}

void append_insert_times(const std::vector<SelfStats::InsertTimes>& times, size_t max_series,
                         Families& families) {
  InsertSeries series(max_series);
  for (const SelfStats::InsertTimes& entry : times) series.add(entry);
  HistogramSamples duration(Family::kInsertDuration, 1e-9);
  for (const auto& [labels, counts] : series.all()) duration.add(labels, kInsertBoundsNs, counts);
  duration.finish(families);
}

// `what` is a label where the family has one for it.
void append_processes(Family family, const std::vector<SelfStats::ProcessValue>& values,
                      size_t max_series, Families& families) {
  const size_t whole = 2 + kContainerLabels.size();
  Samples samples(family, max_series);
  for (const SelfStats::ProcessValue& entry : values) {
    if (spec_of(family).label_count() == whole) {
      samples.add({entry.process, entry.runtime, entry.container_id, entry.pod_uid}, entry.value);
    } else {
      samples.add({entry.process, entry.runtime, entry.what, entry.container_id, entry.pod_uid},
                  entry.value);
    }
  }
  samples.finish(families);
}

void append_self(const SelfStats& stats, size_t max_series, Families& families) {
  append_processes(Family::kPendingResizes, stats.pending, max_series, families);
  append_processes(Family::kMemoryHeadroom, stats.headrooms, max_series, families);
  append_processes(Family::kInserts, stats.inserts, max_series, families);
  append_insert_times(stats.insert_times, max_series, families);
  append_processes(Family::kTargetOverhead, stats.overheads, max_series, families);
  append_processes(Family::kBudgetReached, stats.reliefs, max_series, families);
  Samples names(Family::kContainerInfo, max_series);
  for (const ContainerName& name : stats.container_names) {
    names.add({name.container_id, name.pod_uid, name.pod_namespace, name.pod, name.container},
              uint64_t{1});
  }
  names.finish(families);
  Samples costs(Family::kProbeCost);
  for (const auto& [site, seconds] : stats.probe_costs) costs.add({site}, seconds);
  costs.finish(families);
  append_named(Family::kProbes, stats.probes, max_series, families);
  append_named(Family::kAttachErrors, stats.attach_errors, max_series, families);
  append_named(Family::kRecords, stats.records, max_series, families);
  append_named(Family::kRecordsLost, stats.lost, max_series, families);
  append_single(Family::kResizesExpired, static_cast<double>(stats.expired_resizes), families);
  append_single(Family::kStacksSkipped, static_cast<double>(stats.stacks_skipped), families);
  append_single(Family::kStacksEvicted, static_cast<double>(stats.stacks_evicted), families);
  if (stats.probe_hits) {
    append_single(Family::kProbeHits, static_cast<double>(*stats.probe_hits), families);
  }
  if (stats.web_config_ok) {
    append_single(Family::kWebConfigOk, *stats.web_config_ok ? 1 : 0, families);
  }
  if (stats.cri_errors) {
    append_single(Family::kCriErrors, static_cast<double>(*stats.cri_errors), families);
  }
  if (stats.ring_fill_ratio) {
    append_single(Family::kRingFillRatio, *stats.ring_fill_ratio, families);
  }
}

}  // namespace

MetricTable::MetricTable(MetricOptions options)
    : options_(options), maps_(options.max_series, options.max_types), largest_(options.max_types) {
  for (const Family family : kCounted) counters_.emplace(family, options.max_series);
}

void MetricTable::count(Family family, const Target& target, std::string_view runtime,
                        std::string_view third, uint64_t times) {
  counters_.at(family).at({target.comm, runtime, third, target.container_id, target.pod_uid}) +=
      times;
}

void MetricTable::add(const Resize& resize) {
  const Target& target = *resize.target;
  const std::lock_guard lock(mutex_);
  if (is_restructuring(resize.kind)) {
    if (resize.misses) count(Family::kSyncMapMisses, target, {}, {}, *resize.misses);
    return count(family_of(resize.kind), target, {}, {});
  }
  const std::string_view runtime = name_of(resize.runtime);
  maps_.at({target.comm, runtime, resize.map_type, target.container_id, target.pod_uid})
      .add(resize);
  if (resize.new_bytes) largest_.add(target.id, runtime, resize.map_type, *resize.new_bytes);
  if (resize.goroutine && !resize.goroutine->status.empty())
    count(Family::kGoroutineStatus, target, runtime, resize.goroutine->status);
}

void MetricTable::add(const Fatal& fatal) {
  const std::lock_guard lock(mutex_);
  count(Family::kMapFatals, *fatal.target, name_of(fatal.runtime), fatal.message);
}

void MetricTable::add(const Race& race) {
  const std::lock_guard lock(mutex_);
  count(Family::kConcurrentWrites, *race.target, name_of(race.runtime), race.map_type);
}

void MetricTable::add(const Doubling& doubling) {
  const std::lock_guard lock(mutex_);
  count(Family::kMapDoublings, *doubling.target, name_of(doubling.runtime), doubling.map_type);
  if (doubling.new_bytes)
    largest_.add(doubling.target->id, name_of(doubling.runtime), doubling.map_type,
                 *doubling.new_bytes);
}

void MetricTable::set_targets(std::vector<Target> targets) {
  std::set<Place> live;
  std::set<uint32_t> live_ids;
  for (Target& target : targets) {
    // What is only shown must not keep a program open that nobody runs any more.
    target.loaded.reset();
    if (target.state != TargetState::kAttached) continue;
    Place place;
    assign_label(place.first, target.comm);
    assign_label(place.second, target.container_id);
    live.insert(std::move(place));
    live_ids.insert(target.id);
  }
  const std::lock_guard lock(mutex_);
  // Those that end now are dated by the last table they were in.
  expire();
  targets_.swap(targets);
  live_.swap(live);
  largest_.keep_only(live_ids);
}

std::vector<Target> MetricTable::targets() const {
  const std::lock_guard lock(mutex_);
  return targets_;
}

void MetricTable::expire() const {
  const auto is_live = [this](const auto& labels) {
    return live_.contains({labels[0], labels[3]});
  };
  const uint64_t now_ns = options_.now_ns();
  maps_.expire(now_ns, options_.expire_after_ns, is_live);
  for (auto& [family, counter] : counters_)
    counter.expire(now_ns, options_.expire_after_ns, is_live);
}

std::vector<prometheus::MetricFamily> MetricTable::Collect() const {
  const std::lock_guard scrape_lock(scrape_mutex_);
  MapEntries maps;
  std::vector<std::pair<Family, std::vector<SeriesTable<uint64_t>::Entry>>> counters;
  std::vector<Target> targets;
  std::map<uint32_t, LargestMaps::Types> largest;
  {
    const std::lock_guard lock(mutex_);
    expire();
    maps = maps_.copy();
    for (const auto& [family, counter] : counters_) counters.emplace_back(family, counter.copy());
    targets = targets_;
    largest = largest_.all();
  }
  Families families;
  append_times(maps, families);
  append_counts(maps, families);
  for (const auto& [family, entries] : counters) {
    Samples samples(family);
    for (const auto& [labels, count] : entries) samples.add(labels, count);
    samples.finish(families);
  }
  append_largest(largest, targets, options_.max_series, families);
  append_targets(targets, options_.max_series, families);
  if (self_stats_) append_self(self_stats_(), options_.max_series, families);
  Samples build(Family::kBuildInfo);
  build.add({MAPSCOPE_VERSION, __VERSION__}, uint64_t{1});
  build.finish(families);
  append_process_metrics(families);
  return families;
}

std::string MetricTable::text() const { return prometheus::TextSerializer().Serialize(Collect()); }

}  // namespace mapscope
