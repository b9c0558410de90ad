// SPDX-License-Identifier: Apache-2.0
// insert_latency – how long an insert takes while its map grows, and while it does not; see
// docs/insert-latency.sh.
//
// Fills maps again and again, times every insert, and prints one line for each table size: slots,
// then for incremental and for stop-the-world growth the p99 in ns of inserts during growth into
// that size and of all others at that size.
#include <fmt/core.h>

#include <map>

#include "target/load/latency_histogram.h"
#include "target/map/clock.h"
#include "target/map/hash_map.h"

namespace mapscope {
namespace {

constexpr uint64_t kEntries = 1'000'000;
constexpr uint64_t kMaps = 100;  // each size is grown into that often
constexpr uint64_t kSmallestSlots = 256;

struct Latency {
  LatencyHistogram growing{};  // the insert began a growth or carried one on
  LatencyHistogram steady{};
};
using LatencyBySlots = std::map<uint64_t, Latency>;

void fill_map(GrowthMode growth, uint64_t seed, LatencyBySlots& latencies) {
  HashMap map({.growth = growth, .seed = seed});
  for (uint64_t key = 0; key < kEntries; ++key) {
    const bool was_growing = map.growing();
    const uint64_t slots_before = map.slots();
    const uint64_t start_ns = monotonic_ns();
    map.insert(key, key);
    const uint64_t ns = monotonic_ns() - start_ns;
    const bool began = map.slots() != slots_before;
    Latency& latency = latencies[map.slots()];
    (was_growing || began ? latency.growing : latency.steady).record(ns);
  }
}

LatencyBySlots measure(GrowthMode growth) {
  LatencyBySlots latencies;
  for (uint64_t seed = 0; seed < kMaps; ++seed) fill_map(growth, seed, latencies);
  return latencies;
}

}  // namespace
}  // namespace mapscope

int main() {
  using mapscope::GrowthMode;
  mapscope::LatencyBySlots incremental = mapscope::measure(GrowthMode::kIncremental);
  mapscope::LatencyBySlots at_once = mapscope::measure(GrowthMode::kStopTheWorld);
  fmt::print("# slots incremental_growing incremental_steady at_once_growing at_once_steady\n");
  for (const auto& [slots, latency] : incremental) {
    if (slots < mapscope::kSmallestSlots) continue;
    const mapscope::Latency& other = at_once[slots];
    fmt::print("{} {} {} {} {}\n", slots, latency.growing.percentile_ns(0.99),
               latency.steady.percentile_ns(0.99), other.growing.percentile_ns(0.99),
               other.steady.percentile_ns(0.99));
  }
  return 0;
}
