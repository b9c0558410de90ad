// SPDX-License-Identifier: Apache-2.0
// agent/export/metric_families.h – every metric family: the one list of names, labels and HELP.
//
// Base units; _total on counters only; HELP says where the number comes from and is one line
// without a backslash (the serializer does not escape it). Labels never hold a goroutine or an
// address, and a pid only in target_info. `process` is the comm of the target, `runtime` the room.
#pragma once

#include <prometheus/metric_type.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace mapscope {

enum class Family : size_t {
  kResizes,
  kResizeDuration,
  kResizeStall,
  kResizeSeconds,
  kResizeEntries,
  kResizeBytes,
  kResizePageFaults,
  kMapLargest,
  kBlockedThreads,
  kBlockedSeconds,
  kPendingResizes,
  kResizesExpired,
  kMapFatals,
  kConcurrentWrites,
  kMapDoublings,
  kGoroutineStatus,
  kSyncMapPromotions,
  kSyncMapRebuilds,
  kSyncMapExpansions,
  kSyncMapMisses,
  kInserts,
  kInsertDuration,
  kTargetInfo,
  kContainerInfo,
  kMemoryHeadroom,
  kBuildInfo,
  kTargets,
  kUnsupportedTargets,
  kProbes,
  kProbeHits,
  kAttachErrors,
  kRecords,
  kRecordsLost,
  kStacksSkipped,
  kStacksEvicted,
  kTargetOverhead,
  kBudgetReached,
  kProbeCost,
  kRingFillRatio,
  kWebConfigOk,
  kCriErrors,
  kProcessCpu,
  kProcessResident,
  kProcessOpenFds,
  kProcessMaxFds,
  kProcessStart,
  kCount,
};

inline constexpr size_t kMaxFamilyLabels = 10;

// Where a process runs: on every family of a process, last; absent outside of containers.
inline constexpr std::array<std::string_view, 2> kContainerLabels = {"container_id", "pod_uid"};

// What processes of equal labels, and all that have no room, are together.
enum class Combine { kSum, kLargest, kLeast };

struct FamilySpec {
  Family id;
  std::string_view name;
  prometheus::MetricType type;
  std::array<std::string_view, kMaxFamilyLabels> labels;  // in order; "" ends them
  std::string_view help;
  Combine combine = Combine::kSum;

  [[nodiscard]] constexpr size_t label_count() const {
    return static_cast<size_t>(std::find(labels.begin(), labels.end(), std::string_view()) -
                               labels.begin());
  }
};

inline constexpr auto kCounter = prometheus::MetricType::Counter;
inline constexpr auto kGauge = prometheus::MetricType::Gauge;
inline constexpr auto kHistogram = prometheus::MetricType::Histogram;

// clang-format off
inline constexpr std::array<FamilySpec, static_cast<size_t>(Family::kCount)> kFamilies = {{
    {Family::kResizes, "mapscope_resizes_total", kCounter,
     {"process", "runtime", "map_type", "kind", "trigger", "container_id", "pod_uid"},
     "Map resizes that completed, from uprobes on the map's grow functions."},
    {Family::kResizeDuration, "mapscope_resize_duration_seconds", kHistogram,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Wall time from the begin to the end of a resize, from the kernel's monotonic clock at both probes."},
    {Family::kResizeStall, "mapscope_resize_stall_seconds", kHistogram,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Part of a resize that one insert paid for, begin to return of the grow call; only where that is probed."},
    {Family::kResizeSeconds, "mapscope_resize_seconds_total", kCounter,
     {"process", "runtime", "map_type", "state", "container_id", "pod_uid"},
     "Time of the resizing thread during resizes by scheduler state, from sched_switch and sched_waking."},
    {Family::kResizeEntries, "mapscope_resize_entries", kHistogram,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Entries in the map when a resize began, read from the map."},
    {Family::kResizeBytes, "mapscope_resize_bytes_total", kCounter,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Bytes of the new tables that resizes allocated, computed from the new size."},
    {Family::kResizePageFaults, "mapscope_resize_page_faults_total", kCounter,
     {"process", "runtime", "map_type", "kind", "container_id", "pod_uid"},
     "Page faults of the resizing thread during resizes, from its task's counters."},
    {Family::kMapLargest, "mapscope_map_largest_bytes", kGauge,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Bytes of the largest map of a process that runs, after its last growth that was seen: of its table, or of all tables of one that grows table by table.", Combine::kLargest},
    {Family::kBlockedThreads, "mapscope_blocked_threads_total", kCounter,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Threads that waited for a lock held by a resizing thread, from futex waits that overlap the resize."},
    {Family::kBlockedSeconds, "mapscope_blocked_seconds_total", kCounter,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Thread time spent waiting for a lock held by a resizing thread, from the overlap of futex waits."},
    {Family::kPendingResizes, "mapscope_pending_resizes", kGauge,
     {"process", "runtime", "container_id", "pod_uid"},
     "Resizes that have begun and not ended, from the agent's table of open resizes."},
    {Family::kResizesExpired, "mapscope_resizes_expired_total", kCounter,
     {},
     "Resizes that began and whose process was gone before their end."},
    {Family::kMapFatals, "mapscope_map_fatals_total", kCounter,
     {"process", "runtime", "reason", "container_id", "pod_uid"},
     "Deaths of processes by a misused map, from a uprobe on the runtime's fatal function; reason is its message."},
    {Family::kConcurrentWrites, "mapscope_concurrent_writes_total", kCounter,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Pairs of writers that were inside one map at once, from uprobes where a write begins and where it is over; at most one per map and second; only with --mode races."},
    {Family::kMapDoublings, "mapscope_map_doublings_total", kCounter,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Times that a map doubled table by table, from the splits of all its tables of one level."},
    {Family::kGoroutineStatus, "mapscope_goroutine_status_total", kCounter,
     {"process", "runtime", "status", "container_id", "pod_uid"},
     "Resizes by the status of the goroutine at their begin, read from the runtime's g."},
    {Family::kSyncMapPromotions, "mapscope_sync_map_promotions_total", kCounter,
     {"process", "container_id", "pod_uid"},
     "Times that a sync.Map made its dirty map the one that is read, from a uprobe on that step."},
    {Family::kSyncMapRebuilds, "mapscope_sync_map_rebuilds_total", kCounter,
     {"process", "container_id", "pod_uid"},
     "Times that a sync.Map copied the map that is read into a new dirty one, from a uprobe on that copy."},
    {Family::kSyncMapExpansions, "mapscope_sync_map_expansions_total", kCounter,
     {"process", "container_id", "pod_uid"},
     "Times that a sync.Map put a node between two keys of the same hash prefix, from a uprobe on that growth of its trie."},
    {Family::kSyncMapMisses, "mapscope_sync_map_misses_total", kCounter,
     {"process", "container_id", "pod_uid"},
     "Look-ups in a sync.Map that missed the map that is read, as the map itself had counted them at each promotion."},
    {Family::kInserts, "mapscope_inserts_total", kCounter,
     {"process", "runtime", "map_type", "container_id", "pod_uid"},
     "Calls of the insert function, counted by a uprobe; only with --mode inserts."},
    {Family::kInsertDuration, "mapscope_insert_duration_seconds", kHistogram,
     {"process", "runtime", "map_type", "during", "container_id", "pod_uid"},
     "Time of an insert from its first to its last probe, counted in BPF by powers of two; during says whether a resize of the map was under way; only with --mode inserts."},
    {Family::kTargetInfo, "mapscope_target_info", kGauge,
     {"process", "runtime", "pid", "exe", "build_id", "language", "version", "unverified", "container_id", "pod_uid"},
     "Programs that are being watched, one for each probed file of a process, always 1; from /proc and the ELF file; unverified is true for a Go newer than those that were checked.", Combine::kLargest},
    {Family::kContainerInfo, "mapscope_container_info", kGauge,
     {"container_id", "pod_uid", "pod_namespace", "pod_name", "container_name"},
     "What containers with watched processes are called, always 1; from their runtime; only with --cri.socket."},
    {Family::kMemoryHeadroom, "mapscope_target_memory_headroom_bytes", kGauge,
     {"process", "runtime", "container_id", "pod_uid"},
     "Bytes that the control group of a process may still take before its memory limit, not counting cache that can be dropped as taken; the least of processes of equal labels; absent without a limit.", Combine::kLeast},
    {Family::kBuildInfo, "mapscope_build_info", kGauge,
     {"version", "compiler"},
     "The running agent, always 1; fixed at build time."},
    {Family::kTargets, "mapscope_targets", kGauge,
     {"runtime", "state"},
     "Processes in the agent's target table by state."},
    {Family::kUnsupportedTargets, "mapscope_unsupported_targets", kGauge,
     {"reason"},
     "Processes in the agent's target table that cannot be watched, by reason."},
    {Family::kProbes, "mapscope_probes", kGauge,
     {"state"},
     "Probes by state, from the agent's table of attachments."},
    {Family::kProbeHits, "mapscope_probe_hits_total", kCounter,
     {},
     "Times that a probe ran in any target, counted in BPF; without those of --mode inserts that every insert meets."},
    {Family::kAttachErrors, "mapscope_attach_errors_total", kCounter,
     {"reason"},
     "Probes that could not be attached, by reason."},
    {Family::kRecords, "mapscope_records_total", kCounter,
     {"type"},
     "Records that BPF submitted and the agent accepted, by type."},
    {Family::kRecordsLost, "mapscope_records_lost_total", kCounter,
     {"reason"},
     "Records, or parts of one, that were lost or refused, counted in BPF and in the agent by reason."},
    {Family::kStacksSkipped, "mapscope_stacks_skipped_total", kCounter,
     {},
     "Resizes whose stack was not sampled because of the rate limit of their target, or of its overhead, counted in BPF; nothing is lost."},
    {Family::kStacksEvicted, "mapscope_stacks_evicted_total", kCounter,
     {},
     "Resolved stacks that were let go of to make room for others; their call sites stay known."},
    {Family::kTargetOverhead, "mapscope_target_overhead_seconds_total", kCounter,
     {"process", "runtime", "container_id", "pod_uid"},
     "CPU time that targets spent in probes, estimated: hits by kind of instruction times what a hit costs here, plus the measured run time of the BPF programs."},
    {Family::kBudgetReached, "mapscope_overhead_budget_reached_total", kCounter,
     {"process", "runtime", "step", "container_id", "pod_uid"},
     "Times that probes were taken off a target because they cost more than --overhead-budget; step says what came off: stacks, times, mode, or pause for all."},
    {Family::kProbeCost, "mapscope_probe_cost_seconds", kGauge,
     {"site"},
     "What a hit of a probe adds to a thread, by the instruction under it, measured on the agent itself when it started."},
    {Family::kRingFillRatio, "mapscope_ring_fill_ratio", kGauge,
     {},
     "Share of the fullest ring buffer that waits to be read, 0 to 1, at the time of the scrape."},
    {Family::kWebConfigOk, "mapscope_web_config_last_reload_successful", kGauge,
     {},
     "Whether the web configuration and its certificates, as they are on disk, are in force; only with --web.config.file."},
    {Family::kCriErrors, "mapscope_cri_errors_total", kCounter,
     {},
     "Questions to the container runtime that it did not answer; only with --cri.socket."},
    {Family::kProcessCpu, "process_cpu_seconds_total", kCounter,
     {},
     "User and system CPU time of the agent, from /proc/self/stat."},
    {Family::kProcessResident, "process_resident_memory_bytes", kGauge,
     {},
     "Resident memory of the agent, from /proc/self/stat."},
    {Family::kProcessOpenFds, "process_open_fds", kGauge,
     {},
     "Open file descriptors of the agent, from /proc/self/fd."},
    {Family::kProcessMaxFds, "process_max_fds", kGauge,
     {},
     "Most file descriptors that the agent may open, from getrlimit."},
    {Family::kProcessStart, "process_start_time_seconds", kGauge,
     {},
     "Start of the agent since the Unix epoch, from /proc/self/stat and /proc/stat."},
}};
// clang-format on

constexpr const FamilySpec& spec_of(Family family) {
  return kFamilies[static_cast<size_t>(family)];
}

// Each family stands at its own place, so that spec_of() is a look-up.
static_assert([]() {
  for (size_t i = 0; i < kFamilies.size(); ++i) {
    if (static_cast<size_t>(kFamilies[i].id) != i) return false;
    if (kFamilies[i].help.find_first_of("\\\n") != std::string_view::npos) return false;
  }
  return true;
}());

}  // namespace mapscope
