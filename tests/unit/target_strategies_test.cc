// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "target/strategies/copy_on_write.h"
#include "target/strategies/store.h"
#include "target/strategies/sync_map.h"

namespace mapscope {
namespace {

class EveryStrategy : public testing::TestWithParam<StrategyName> {};
class EverySafeStrategy : public testing::TestWithParam<StrategyName> {};

std::string test_name(const testing::TestParamInfo<StrategyName>& info) {
  return std::string(info.param.name);
}
INSTANTIATE_TEST_SUITE_P(Stores, EveryStrategy, testing::ValuesIn(kStrategies), test_name);
INSTANTIATE_TEST_SUITE_P(Stores, EverySafeStrategy,
                         testing::ValuesIn(kStrategies.begin() + 1, kStrategies.end()), test_name);

TEST_P(EveryStrategy, RandomOperationsMatchUnorderedMap) {
  GrowthLog log;
  const auto store = make_store(GetParam().strategy, {}, &log);
  std::unordered_map<uint64_t, uint64_t> oracle;
  std::mt19937_64 random(1);
  for (uint64_t step = 0; step < 8'000; ++step) {
    const uint64_t key = random() % 600;
    switch (random() % 3) {
      case 0:
        EXPECT_EQ(store->put(key, step), oracle.insert_or_assign(key, step).second);
        break;
      case 1:
        EXPECT_EQ(store->erase(key), oracle.erase(key) == 1);
        break;
      default: {
        const auto found = oracle.find(key);
        EXPECT_EQ(store->get(key),
                  found != oracle.end() ? std::optional(found->second) : std::nullopt);
      }
    }
  }
  EXPECT_FALSE(log.growths().empty());
}

// Writers own disjoint keys and check their own writes; readers see only values that were written.
TEST_P(EverySafeStrategy, ThreadsSeeTheirOwnWrites) {
  constexpr uint64_t kWriters = 3;
  constexpr uint64_t kKeys = 150;  // of each writer
  GrowthLog log;
  const auto store = make_store(GetParam().strategy, {}, &log);
  std::atomic<uint64_t> wrong{0};
  std::atomic<bool> stop{false};
  {
    std::vector<std::jthread> writers;
    const std::jthread reader([&] {
      for (uint64_t key = 0; !stop; key = (key + 7) % (kWriters * kKeys)) {
        const auto value = store->get(key);
        if (value && *value % (kWriters * kKeys) != key) ++wrong;
      }
    });
    for (uint64_t writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        for (uint64_t round = 0; round < 5; ++round) {
          for (uint64_t key = writer; key < kWriters * kKeys; key += kWriters) {
            const uint64_t value = round * kWriters * kKeys + key;
            const bool is_new = store->put(key, value);
            if (is_new != (round == 0 || key % 2 == 0)) ++wrong;
            if (store->get(key) != value) ++wrong;
          }
          for (uint64_t key = writer; key < kWriters * kKeys; key += kWriters) {
            if (key % 2 == 0 && !store->erase(key)) ++wrong;
            if (key % 2 == 0 && store->get(key)) ++wrong;
          }
        }
      });
    }
    writers.clear();
    stop = true;
  }
  EXPECT_EQ(wrong, 0U);
  for (uint64_t key = 0; key < kWriters * kKeys; ++key) {
    EXPECT_EQ(store->get(key).has_value(), key % 2 == 1) << key;
  }
}

TEST(SyncMap, MissesAsManyAsDirtyEntriesPromote) {
  SyncMap map({});
  for (uint64_t key = 0; key < 3; ++key) map.put(key, key);
  EXPECT_EQ(map.get(0), 0U);
  EXPECT_EQ(map.get(99), std::nullopt);  // a lookup that finds nothing is a miss as well
  EXPECT_EQ(map.promotions(), 0U);
  EXPECT_EQ(map.get(2), 2U);
  EXPECT_EQ(map.promotions(), 1U);
}

TEST(SyncMap, HitsInReadAreNoMisses) {
  SyncMap map({});
  map.put(1, 1);
  map.get(1);
  ASSERT_EQ(map.promotions(), 1U);
  for (int hit = 0; hit < 10; ++hit) EXPECT_EQ(map.get(1), 1U);
  EXPECT_EQ(map.get(2), std::nullopt);  // nothing is dirty: no need to look there
  EXPECT_EQ(map.promotions(), 1U);
}

TEST(SyncMap, KeyErasedBeforeDirtyWasMadeCanBePutAgain) {
  SyncMap map({});
  map.put(1, 1);
  map.get(1);  // promotes
  EXPECT_TRUE(map.erase(1));
  map.put(2, 2);  // dirty is made without 1
  EXPECT_EQ(map.get(1), std::nullopt);
  EXPECT_FALSE(map.erase(1));
  EXPECT_TRUE(map.put(1, 3));
  for (int miss = 0; miss < 2; ++miss) EXPECT_EQ(map.get(2), 2U);
  ASSERT_EQ(map.promotions(), 2U);
  EXPECT_EQ(map.get(1), 3U);
}

TEST(SyncMap, ErasedKeyIsGoneAfterPromotion) {
  SyncMap map({});
  map.put(1, 1);
  map.get(1);  // promotes
  map.erase(1);
  map.put(2, 2);
  map.get(2);  // promotes: dirty has one entry
  ASSERT_EQ(map.promotions(), 2U);
  EXPECT_EQ(map.get(1), std::nullopt);
  EXPECT_EQ(map.get(2), 2U);
}

TEST(CopyOnWrite, CopiesGrowAtOnceWhateverTheOptionsSay) {
  GrowthLog log;
  CopyOnWriteStore store({.growth = GrowthMode::kIncremental, .observer = &log});
  for (uint64_t key = 0; key < 300; ++key) store.put(key, key);
  const auto growths = log.growths();
  EXPECT_EQ(growths.size(), 6U);  // at 8, 13, 26, 52, 104 and 208 entries
  for (const GrowthRecord* growth : growths) EXPECT_NE(growth->times.end_ns, 0U);
}

}  // namespace
}  // namespace mapscope
