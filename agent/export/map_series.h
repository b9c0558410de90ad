// SPDX-License-Identifier: Apache-2.0
// agent/export/map_series.h – what is counted per (process, runtime, map_type).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/model/resize.h"

namespace mapscope {

// Upper bounds, inclusive. 1 µs to 10 s.
inline constexpr std::array<uint64_t, 22> kDurationBoundsNs = {
    1'000,         2'500,         5'000,         10'000,         25'000,      50'000,
    100'000,       250'000,       500'000,       1'000'000,      2'500'000,   5'000'000,
    10'000'000,    25'000'000,    50'000'000,    100'000'000,    250'000'000, 500'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000,
};

// Powers of four from 8 to 2^31.
inline constexpr std::array<uint64_t, 15> kEntriesBounds = {
    1U << 3,  1U << 5,  1U << 7,  1U << 9,  1U << 11, 1U << 13, 1U << 15, 1U << 17,
    1U << 19, 1U << 21, 1U << 23, 1U << 25, 1U << 27, 1U << 29, 1U << 31,
};

template <size_t N>
struct BucketCounts {
  std::array<uint64_t, N + 1> counts{};  // not cumulative; the last is +Inf
  uint64_t sum = 0;

  void observe(const std::array<uint64_t, N>& bounds, uint64_t value) {
    const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
    ++counts[static_cast<size_t>(bound - bounds.begin())];
    sum += value;
  }
};

struct MapSeries {
  struct KindCount {
    std::string_view kind;  // static storage
    std::string_view trigger;
    uint64_t count = 0;
  };

  std::vector<KindCount> resizes;
  BucketCounts<kDurationBoundsNs.size()> duration;
  BucketCounts<kDurationBoundsNs.size()> stall;
  BucketCounts<kEntriesBounds.size()> entries;
  std::array<uint64_t, MS_THREAD_STATES> state_ns{};
  uint64_t minor_faults = 0;
  uint64_t major_faults = 0;
  uint64_t new_bytes = 0;
  uint64_t blocked_threads = 0;
  uint64_t blocked_ns = 0;
  bool thread_known = false;  // once known, a series exists
  bool bytes_known = false;
  bool blocked_known = false;

  void add(const Resize& resize);
};

}  // namespace mapscope
