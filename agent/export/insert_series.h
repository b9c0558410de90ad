// SPDX-License-Identifier: Apache-2.0
// agent/export/insert_series.h – how long inserts took, as a histogram for one scrape.
//
// BPF counts by powers of two: [i] holds the inserts of at least 2^i and less than 2^(i+1) ns. A
// bucket of a histogram holds its upper bound, so that bound is 2^(i+1) - 1 ns. Those up to 127 ns
// are one bucket, because two probes take longer than that.
// Threads: none of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "agent/export/map_series.h"
#include "agent/model/self_stats.h"

namespace mapscope {

// 127 ns to 2.147 s.
inline constexpr size_t kFirstInsertBucket = 6;
inline constexpr auto kInsertBoundsNs = []() {
  std::array<uint64_t, 25> bounds{};
  for (size_t i = 0; i < bounds.size(); ++i)
    bounds[i] = (uint64_t{1} << (i + kFirstInsertBucket + 1)) - 1;
  return bounds;
}();

class InsertSeries {
 public:
  using Labels =
      std::array<std::string, 6>;  // process, runtime, map_type, during, container_id, pod_uid
  using Counts = BucketCounts<kInsertBoundsNs.size()>;

  // From the `max`-th process and map_type on, further ones are added up as "other".
  explicit InsertSeries(size_t max) : max_(max) {}

  // Adds to what equal labels have.
  void add(const SelfStats::InsertTimes& times);
  [[nodiscard]] const std::map<Labels, Counts>& all() const { return series_; }

 private:
  size_t max_;
  size_t maps_ = 0;
  std::map<Labels, Counts> series_;
};

}  // namespace mapscope
