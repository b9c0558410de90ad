// SPDX-License-Identifier: Apache-2.0
#include "target/load/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace mapscope {

uint64_t LatencyHistogram::upper_edge_ns(unsigned bucket) {
  if (bucket < kSubBuckets) return bucket;
  const unsigned shift = bucket / kSubBuckets - 1;
  const uint64_t first = uint64_t{bucket - shift * kSubBuckets} << shift;
  return first + ((uint64_t{1} << shift) - 1);
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    add(counts_[bucket], other.counts_[bucket].load(std::memory_order_relaxed));
  }
  max_ns_.store(std::max(max_ns(), other.max_ns()), std::memory_order_relaxed);
}

uint64_t LatencyHistogram::count() const {
  uint64_t total = 0;
  for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
  return total;
}

uint64_t LatencyHistogram::percentile_ns(double share) const {
  const uint64_t total = count();
  const auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(total)));
  uint64_t seen = 0;
  for (unsigned bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket].load(std::memory_order_relaxed);
    if (seen != 0 && seen >= wanted) return std::min(upper_edge_ns(bucket), max_ns());
  }
  return max_ns();
}

}  // namespace mapscope
