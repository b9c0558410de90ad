// SPDX-License-Identifier: Apache-2.0
// What the entry points of target/map/mapscope_map.h cost a map that nobody probes.
//
// Every iteration times one batch through the contract's symbol and one that calls the
// implementation behind it, on the same kind of map with the same keys, in alternating order; the
// counters give the ratio of the two over all pairs. 1.00 means that nops and jump cannot be seen.
// BM_EvacuateEntry times a call that does nothing else: the entry alone.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "target/map/hash_map.h"

// The implementations, which HashMap names by asm labels.
extern "C" bool mapscope_map_insert_body(mapscope::HashMap* map, uint64_t key, uint64_t value);
extern "C" void mapscope_map_evacuate_body(mapscope::HashMap* map, uint64_t old_bucket);

namespace mapscope {
namespace {

constexpr uint64_t kSeed = 42;  // the same chains in both arms
constexpr int kPairs = 400;

// Time on the CPU only, so that other programs do not count.
uint64_t thread_ns() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Times arm(true), which goes through the entry, against arm(false).
template <typename Arm>
void compare_pairs(benchmark::State& state, uint64_t operations, Arm arm) {
  std::vector<double> ratios;
  double entry_ns = 0;
  double direct_ns = 0;
  bool entry_first = false;
  for (auto _ : state) {
    entry_first = !entry_first;
    double ns[2] = {};
    for (const bool through_entry : {entry_first, !entry_first}) {
      const uint64_t start_ns = thread_ns();
      arm(through_entry);
      ns[through_entry ? 1 : 0] = static_cast<double>(thread_ns() - start_ns);
    }
    direct_ns += ns[0];
    entry_ns += ns[1];
    ratios.push_back(ns[1] / ns[0]);
  }
  std::sort(ratios.begin(), ratios.end());
  const double calls = static_cast<double>(operations) * static_cast<double>(ratios.size());
  state.counters["ratio_median"] = ratios[ratios.size() / 2];
  state.counters["ratio_min"] = ratios.front();
  state.counters["ratio_max"] = ratios.back();
  state.counters["entry_ns_per_call"] = entry_ns / calls;
  state.counters["direct_ns_per_call"] = direct_ns / calls;
}

template <typename Call>
void insert_all(HashMap& map, uint64_t keys, Call call) {
  for (uint64_t key = 0; key < keys; ++key) call(&map, key, key);
}

void insert_arm(HashMap& map, uint64_t keys, bool through_entry) {
  through_entry ? insert_all(map, keys, mapscope_map_insert)
                : insert_all(map, keys, mapscope_map_insert_body);
}

// Assigning keys that are there, in a map that fits the cache: the cheapest insert, where the entry
// weighs most.
void BM_Assign(benchmark::State& state) {
  constexpr uint64_t kKeys = 4'000;
  constexpr int kRounds = 10;
  HashMap map({.seed = kSeed, .expected_entries = kKeys});
  insert_arm(map, kKeys, true);
  compare_pairs(state, kKeys * kRounds, [&](bool through_entry) {
    for (int round = 0; round < kRounds; ++round) insert_arm(map, kKeys, through_entry);
  });
}
BENCHMARK(BM_Assign)->Iterations(kPairs);

// From an empty map, all growths included.
void BM_Fill(benchmark::State& state) {
  constexpr uint64_t kKeys = 50'000;
  compare_pairs(state, kKeys, [&](bool through_entry) {
    HashMap map({.seed = kSeed});
    insert_arm(map, kKeys, through_entry);
  });
}
BENCHMARK(BM_Fill)->Iterations(kPairs);

void BM_EvacuateEntry(benchmark::State& state) {
  constexpr uint64_t kCalls = 100'000;
  HashMap map;
  compare_pairs(state, kCalls, [&](bool through_entry) {
    for (uint64_t call = 0; call < kCalls; ++call) {
      through_entry ? mapscope_map_evacuate(&map, 0) : mapscope_map_evacuate_body(&map, 0);
    }
  });
}
BENCHMARK(BM_EvacuateEntry)->Iterations(kPairs);

}  // namespace
}  // namespace mapscope

BENCHMARK_MAIN();
