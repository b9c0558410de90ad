// SPDX-License-Identifier: Apache-2.0
// target/load/latency_histogram.h – durations counted in buckets whose width is at most 1/32 of
// their value.
//
// One thread records; others may read at any time and see a recent state. All bytes zero is an
// empty histogram, so that it can live in memory shared with a child process.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace mapscope {

class LatencyHistogram {
 public:
  void record(uint64_t ns) {
    add(counts_[bucket_of(ns)], 1);
    if (ns > max_ns()) max_ns_.store(ns, std::memory_order_relaxed);
  }
  void merge(const LatencyHistogram& other);

  [[nodiscard]] uint64_t count() const;
  // The upper edge of the bucket below which share (0..1) of all durations lie, at most max_ns(); 0
  // when empty.
  [[nodiscard]] uint64_t percentile_ns(double share) const;
  [[nodiscard]] uint64_t max_ns() const { return max_ns_.load(std::memory_order_relaxed); }

 private:
  static constexpr unsigned kSubBits = 5;
  static constexpr unsigned kSubBuckets = 1U << kSubBits;

  // Durations below 32 ns have a bucket each; above, each power of two has 32.
  static unsigned bucket_of(uint64_t ns) {
    if (ns < kSubBuckets) return static_cast<unsigned>(ns);
    const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - kSubBits - 1;
    return shift * kSubBuckets + static_cast<unsigned>(ns >> shift);
  }
  static uint64_t upper_edge_ns(unsigned bucket);
  static void add(std::atomic<uint64_t>& count, uint64_t more) {
    count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint64_t>, uint64_t{65 - kSubBits} * kSubBuckets> counts_;
  std::atomic<uint64_t> max_ns_;
};

}  // namespace mapscope
