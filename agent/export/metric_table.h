// SPDX-License-Identifier: Apache-2.0
// agent/export/metric_table.h – the metrics of agent/export/metric_families.h.
//
// Values of one (process, runtime, map_type, container_id, pod_uid) are cumulative over all
// processes with these labels. A process has at most `max_types` map types; further ones are added
// up as map_type="other". At most `max_series` such label tuples exist; further ones are added up
// in one whose labels are "other" (a family has that many series times the values of its constant
// labels: kind, trigger, state). A tuple is forgotten when no attached target has its process and
// container and it has not changed for `expire_after_ns`. A value that was never known (no thread
// states, say) has no series, rather than a 0. Promotions, rebuilds and expansions are counted for
// themselves and enter no other family.
// Threads: all members may be called from any thread. add() takes one lock, never held while text
// is rendered, and allocates only for a new series.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/export/largest_maps.h"
#include "agent/export/map_series.h"
#include "agent/export/metric_families.h"
#include "agent/export/series_table.h"
#include "agent/export/wall_clock.h"
#include "agent/model/resize.h"
#include "agent/model/self_stats.h"

namespace mapscope {

struct MetricOptions {
  size_t max_series = 1000;
  size_t max_types = 100;
  uint64_t expire_after_ns = 300'000'000'000;
  uint64_t (*now_ns)() = monotonic_now_ns;
};

class MetricTable : public prometheus::Collectable {
 public:
  explicit MetricTable(MetricOptions options = {});

  // Where the agent's own numbers come from. Called once per Collect(), by the collecting thread,
  // never twice at the same time, without a lock that add() needs. REQUIRES: before the first
  // Collect().
  void set_self_stats(std::function<SelfStats()> self_stats) {
    self_stats_ = std::move(self_stats);
  }

  // REQUIRES: target is not nullptr.
  void add(const Resize& resize);
  void add(const Fatal& fatal);
  void add(const Race& race);
  void add(const Doubling& doubling);

  // The whole target table, in place of the last one. Call it whenever it changes.
  void set_targets(std::vector<Target> targets);
  [[nodiscard]] std::vector<Target> targets() const;

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;
  [[nodiscard]] std::string text() const;  // Prometheus text format 0.0.4

 private:
  void expire() const;  // REQUIRES: mutex_
  // REQUIRES: mutex_
  void count(Family family, const Target& target, std::string_view runtime, std::string_view third,
             uint64_t times = 1);
  using Place = std::pair<std::string, std::string>;  // process, container_id

  const MetricOptions options_;
  std::function<SelfStats()> self_stats_;
  mutable std::mutex scrape_mutex_;  // before mutex_
  mutable std::mutex mutex_;
  mutable SeriesTable<MapSeries> maps_;
  mutable std::map<Family, SeriesTable<uint64_t>> counters_;
  LargestMaps largest_;
  std::vector<Target> targets_;
  std::set<Place> live_;  // of the attached targets
};

}  // namespace mapscope
