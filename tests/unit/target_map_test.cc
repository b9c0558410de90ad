// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "target/map/clock.h"
#include "target/map/hash_map.h"

namespace mapscope {
namespace {

using Oracle = std::unordered_map<uint64_t, uint64_t>;

constexpr uint64_t kFull = 832;  // entries that 128 buckets hold; one more starts a growth

class Recorder : public HashMapObserver {
 public:
  GrowthTimes* growth_begins(const HashMap& /*map*/, const mapscope_growth& growth) override {
    growths.push_back(growth);
    return &times.emplace_back();
  }
  void allocated(uint64_t bytes) override { allocated_bytes += bytes; }
  void map_dies(const char* message) override { ADD_FAILURE() << message; }

  std::vector<mapscope_growth> growths;
  std::deque<GrowthTimes> times;  // in step with growths
  uint64_t allocated_bytes = 0;
};

Oracle contents_of(const HashMap& map) {
  Oracle contents;
  HashMap::Iterator entry(map);
  while (entry.next()) {
    EXPECT_TRUE(contents.emplace(entry.key(), entry.value()).second) << "twice: " << entry.key();
  }
  return contents;
}

class MapInBothModes : public testing::TestWithParam<std::tuple<GrowthMode, uint64_t>> {
 protected:
  [[nodiscard]] HashMapOptions options() {
    return {.growth = std::get<0>(GetParam()), .seed = seed(), .observer = &recorder_};
  }
  [[nodiscard]] static uint64_t seed() { return std::get<1>(GetParam()); }

  Recorder recorder_;
};

INSTANTIATE_TEST_SUITE_P(Seeds, MapInBothModes,
                         testing::Combine(testing::Values(GrowthMode::kIncremental,
                                                          GrowthMode::kStopTheWorld),
                                          testing::Range<uint64_t>(0, 8)));

TEST_P(MapInBothModes, RandomOperationsMatchUnorderedMap) {
  HashMap map(options());
  Oracle oracle;
  std::mt19937_64 random(seed());
  bool seen_growing = false;
  for (int step = 0; step < 60'000; ++step) {
    const uint64_t key = random() % 4096;
    const uint64_t choice = random() % 10'000;
    if (choice < 5'500) {
      const uint64_t value = random();
      EXPECT_EQ(map.insert(key, value), oracle.insert_or_assign(key, value).second);
    } else if (choice < 8'000) {
      EXPECT_EQ(map.erase(key), oracle.erase(key) == 1);
    } else if (choice < 9'980) {
      const auto found = oracle.find(key);
      EXPECT_EQ(map.find(key), found != oracle.end() ? std::optional(found->second) : std::nullopt);
    } else if (choice < 9'998) {
      EXPECT_EQ(contents_of(map), oracle);
    } else {
      map.clear();
      oracle.clear();
    }
    ASSERT_EQ(map.size(), oracle.size());
    if (map.growing() && !std::exchange(seen_growing, true)) {
      EXPECT_EQ(contents_of(map), oracle);
    }
  }
  EXPECT_EQ(contents_of(map), oracle);
  EXPECT_EQ(seen_growing, std::get<0>(GetParam()) == GrowthMode::kIncremental);
}

TEST_P(MapInBothModes, GrowsWhereGoDoes) {
  HashMap map(options());
  for (uint64_t key = 0; key < 30'000; ++key) map.insert(key, key);
  std::vector<std::pair<uint64_t, uint64_t>> expected = {{8, 8}};  // entries, slots
  for (uint64_t buckets = 2; 13 * (buckets / 2) < 30'000; buckets *= 2) {
    expected.emplace_back(13 * (buckets / 2), 8 * buckets);
  }
  std::vector<std::pair<uint64_t, uint64_t>> seen;
  for (const mapscope_growth& growth : recorder_.growths) {
    seen.emplace_back(growth.entries, growth.old_slots);
    EXPECT_EQ(growth.new_slots, 2 * growth.old_slots);
    EXPECT_EQ(growth.new_bytes, growth.new_slots / 8 * 144);
    EXPECT_EQ(growth.kind, static_cast<uint32_t>(MAPSCOPE_KIND_GROW));
    EXPECT_EQ(growth.trigger, static_cast<uint32_t>(MAPSCOPE_TRIGGER_LOAD));
    EXPECT_STREQ(growth.type, "mapscope::HashMap");
  }
  EXPECT_EQ(seen, expected);
}

// Keeps 1600 entries in 256 buckets and replaces the oldest until overflow buckets pile up.
void churn(HashMap& map, uint64_t from, uint64_t until) {
  for (uint64_t key = from; key < until; ++key) {
    if (key >= 1600) map.erase(key - 1600);
    map.insert(key, ~key);
  }
}

TEST_P(MapInBothModes, ManyOverflowBucketsMakeSameSizeGrowth) {
  HashMap map(options());
  churn(map, 0, 100'000);
  const mapscope_growth& last = recorder_.growths.back();
  EXPECT_EQ(last.kind, static_cast<uint32_t>(MAPSCOPE_KIND_SAME_SIZE));
  EXPECT_EQ(last.trigger, static_cast<uint32_t>(MAPSCOPE_TRIGGER_OVERFLOW));
  EXPECT_EQ(last.old_slots, 2048U);
  EXPECT_EQ(last.new_slots, 2048U);
  Oracle expected;
  for (uint64_t key = 100'000 - 1600; key < 100'000; ++key) expected[key] = ~key;
  EXPECT_EQ(contents_of(map), expected);
}

TEST_P(MapInBothModes, SameSizeGrowthsReuseMemory) {
  HashMap map(options());
  churn(map, 0, 100'000);
  const size_t growths = recorder_.growths.size();
  const uint64_t allocated_bytes = recorder_.allocated_bytes;
  churn(map, 100'000, 600'000);
  EXPECT_GT(recorder_.growths.size(), growths + 5);
  EXPECT_EQ(recorder_.allocated_bytes, allocated_bytes);
}

TEST_P(MapInBothModes, IteratorSurvivesGrowthAndVisitsStableKeysOnce) {
  HashMap map(options());
  std::mt19937_64 random(seed());
  constexpr uint64_t kStable = 1'000;
  for (uint64_t key = 0; key < kStable; ++key) map.insert(key, key);
  std::set<uint64_t> visited;
  HashMap::Iterator entry(map);
  uint64_t fresh = kStable;
  while (entry.next()) {
    EXPECT_TRUE(visited.insert(entry.key()).second) << "twice: " << entry.key();
    // Each passing entry adds up to 31 new keys and removes some of them: several growths on the
    // way.
    for (uint64_t more = random() % 32; more > 0 && fresh < 60'000; --more) map.insert(fresh++, 0);
    for (uint64_t gone = random() % 4; gone > 0; --gone) {
      if (fresh > kStable) map.erase(kStable + random() % (fresh - kStable));
    }
  }
  for (uint64_t key = 0; key < kStable; ++key) EXPECT_EQ(visited.count(key), 1U) << key;
  EXPECT_GT(recorder_.growths.size(), 8U);
}

TEST_P(MapInBothModes, IteratorSurvivesSameSizeGrowths) {
  HashMap map(options());
  churn(map, 0, 1600);
  for (uint64_t key = 1'000'000; key < 1'000'050; ++key) map.insert(key, key);
  std::set<uint64_t> visited;
  HashMap::Iterator entry(map);
  for (uint64_t key = 1600; entry.next(); key += 300) {
    EXPECT_TRUE(visited.insert(entry.key()).second) << "twice: " << entry.key();
    churn(map, key, key + 300);
  }
  for (uint64_t key = 1'000'000; key < 1'000'050; ++key) EXPECT_EQ(visited.count(key), 1U) << key;
  EXPECT_EQ(recorder_.growths.back().kind, static_cast<uint32_t>(MAPSCOPE_KIND_SAME_SIZE));
}

TEST_P(MapInBothModes, IteratorFindsNothingAfterClear) {
  HashMap map(options());
  for (uint64_t key = 0; key < 1700; ++key) map.insert(key, key);  // grows at 1664
  HashMap::Iterator entry(map);
  ASSERT_TRUE(entry.next());
  map.clear();
  EXPECT_FALSE(entry.next());
}

TEST_P(MapInBothModes, TimesOfGrowthsAreOrdered) {
  HashMap map(options());
  const uint64_t before_ns = monotonic_ns();
  for (uint64_t key = 0; key < 13 * 128 + 300; ++key) map.insert(key, key);
  ASSERT_FALSE(map.growing());
  const uint64_t after_ns = monotonic_ns();
  uint64_t last_ns = before_ns;
  for (const GrowthTimes& times : recorder_.times) {
    EXPECT_GE(times.begin_ns, last_ns);
    EXPECT_GT(times.end_ns, times.begin_ns);
    EXPECT_GT(times.stall_ns, 0U);
    last_ns = times.end_ns;
  }
  EXPECT_LE(last_ns, after_ns);
  EXPECT_EQ(map.last_growth(), &recorder_.times.back());
}

TEST(HashMap, IncrementalGrowthIsUnfinishedUntilBucketsAreEvacuated) {
  Recorder recorder;
  HashMap map({.seed = 1, .observer = &recorder});
  for (uint64_t key = 0; key <= kFull; ++key) map.insert(key, key);  // 128 buckets start to grow
  EXPECT_TRUE(map.growing());
  EXPECT_EQ(recorder.times.back().end_ns, 0U);
  // Every write moves its own bucket and the next in order, so as many writes as buckets suffice.
  for (uint64_t write = 0; write < 128; ++write) map.insert(0, write);
  EXPECT_FALSE(map.growing());
  EXPECT_NE(recorder.times.back().end_ns, 0U);
}

TEST(HashMap, StopTheWorldGrowthEndsWithinItsStall) {
  Recorder recorder;
  HashMap map({.growth = GrowthMode::kStopTheWorld, .observer = &recorder});
  for (uint64_t key = 0; key <= kFull; ++key) map.insert(key, key);
  const GrowthTimes& last = recorder.times.back();
  EXPECT_LE(last.end_ns, last.begin_ns + last.stall_ns);
}

TEST(HashMap, ClearEndsUnfinishedGrowth) {
  Recorder recorder;
  HashMap map({.observer = &recorder});
  for (uint64_t key = 0; key <= kFull; ++key) map.insert(key, key);
  ASSERT_TRUE(map.growing());
  map.clear();
  EXPECT_FALSE(map.growing());
  EXPECT_NE(recorder.times.back().end_ns, 0U);
}

TEST(HashMap, ExpectedEntriesFitWithoutGrowth) {
  Recorder recorder;
  HashMap map({.expected_entries = 1000, .observer = &recorder});
  for (uint64_t key = 0; key < 1000; ++key) map.insert(key, key);
  EXPECT_TRUE(recorder.growths.empty());
  EXPECT_EQ(map.slots(), 2048U);  // 13 * 64 < 1000 <= 13 * 128
}

TEST(HashMap, SleepInGrowIsPartOfItsStall) {
  Recorder recorder;
  HashMap map({.sleep_in_grow_ns = 3'000'000, .observer = &recorder});
  for (uint64_t key = 0; key < 9; ++key) map.insert(key, key);
  ASSERT_EQ(recorder.times.size(), 1U);
  EXPECT_GE(recorder.times.front().stall_ns, 3'000'000U);
}

TEST(HashMap, ExtremeKeysAndValuesAreStored) {
  HashMap map;
  EXPECT_TRUE(map.insert(~uint64_t{0}, ~uint64_t{0}));
  EXPECT_TRUE(map.insert(0, 0));
  EXPECT_EQ(map.find(~uint64_t{0}), ~uint64_t{0});
  EXPECT_EQ(map.find(0), 0U);
  EXPECT_EQ(map.find(1), std::nullopt);
}

}  // namespace
}  // namespace mapscope
