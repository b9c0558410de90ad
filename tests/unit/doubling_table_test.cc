// SPDX-License-Identifier: Apache-2.0
#include "agent/model/doubling_table.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/table_growth.h"

namespace mapscope {
namespace {

std::vector<Doubling> add_all(DoublingTable& table, const std::vector<Resize>& growths) {
  std::vector<Doubling> doublings;
  for (const Resize& growth : growths) {
    if (const auto doubling = table.add(growth)) doublings.push_back(*doubling);
  }
  return doublings;
}

TEST(DoublingTable, LevelIsCompleteWithItsLastSplit) {
  DoublingTable table;
  const Sample sample;
  auto growths = splitting_map(sample);
  for (size_t i = 0; i < growths.size(); ++i) growths[i].begin_ns = 1000 * i;
  const auto doublings = add_all(table, growths);
  ASSERT_EQ(doublings.size(), 5U);
  for (uint32_t level = 0; level < 5; ++level) {
    const Doubling& doubling = doublings[level];
    EXPECT_EQ(doubling.splits, 1U << level);
    EXPECT_EQ(doubling.old_slots, kTableSlots << level);
    EXPECT_EQ(doubling.new_slots, kTableSlots << (level + 1));
    EXPECT_EQ(doubling.new_bytes, doubling.new_slots * kSlotBytes);
    EXPECT_EQ(doubling.stall_ns, 100U << level);
    // 7 growths come before the splits, and 2^level - 1 splits of the levels before.
    EXPECT_EQ(doubling.begin_ns, 1000 * (7 + (1U << level) - 1));
    EXPECT_EQ(doubling.end_ns, 1000 * (7 + (2U << level) - 2) + 100);
    EXPECT_EQ(doubling.map_addr, sample.resize.map_addr);
    EXPECT_EQ(doubling.map_type, "map[string]*main.Session");
    EXPECT_EQ(doubling.target, &sample.target);
    EXPECT_EQ(doubling.runtime, &kSampleRuntime);
  }
  EXPECT_EQ(table.evicted(), 0U);
}

TEST(DoublingTable, WholeGrowthsAreNoSplits) {
  DoublingTable table;
  const Sample sample;
  EXPECT_TRUE(add_all(table, doubling_map(sample)).empty());
  EXPECT_EQ(table.maps(), 0U);
}

TEST(DoublingTable, OverlappingLevelsAreToldApart) {
  DoublingTable table;
  const Sample sample;
  const auto doublings =
      add_all(table, {split(sample, 0, 1, 0), split(sample, 1, 2, 0), split(sample, 2, 4, 0),
                      split(sample, 2, 8, 0), split(sample, 1, 8, 0), split(sample, 2, 8, 0),
                      split(sample, 2, 8, 0)});
  ASSERT_EQ(doublings.size(), 3U);
  EXPECT_EQ(doublings[1].splits, 2U);
  EXPECT_EQ(doublings[2].splits, 4U);
}

TEST(DoublingTable, MapsAreToldApartByAddressAndTarget) {
  DoublingTable table;
  Sample first;
  Sample second;
  Sample third;
  second.target.id = 2;
  third.resize.map_addr += 64;
  for (const Sample* sample : {&first, &second, &third})
    EXPECT_FALSE(table.add(split(*sample, 1, 2, 0)));
  for (const Sample* sample : {&first, &second, &third})
    EXPECT_TRUE(table.add(split(*sample, 1, 4, 0)));
}

TEST(DoublingTable, MapWatchedFromTheMiddleCompletesLaterLevels) {
  DoublingTable table;
  const Sample sample;
  // 3 of the 4 splits of level 2, then all of level 3.
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(table.add(split(sample, 2, 8, 0)));
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(table.add(split(sample, 3, i == 0 ? 8 : 16, 0)));
  EXPECT_TRUE(table.add(split(sample, 3, 16, 0)));
}

TEST(DoublingTable, MapBornAgainStartsFromNothing) {
  DoublingTable table;
  const Sample sample;
  // Each of these says that the map at this address is another one.
  const std::vector<Resize> births = {whole_growth(sample, 8, 8), split(sample, 0, 1, 896),
                                      split(sample, 2, 8, 0)};
  for (const Resize& birth : births) {
    add_all(table, {split(sample, 0, 1, 896), split(sample, 1, 2, 0)});
    table.add(birth);
    EXPECT_EQ(table.evicted(), 0U);
    EXPECT_FALSE(table.add(split(sample, 1, birth.new_directory.value_or(2), 0)));
  }
}

TEST(DoublingTable, LostRecordCostsTheDoublingUnderWay) {
  DoublingTable table;
  const Sample sample;
  // The second of level 1 and the first of level 2 are lost.
  EXPECT_TRUE(add_all(table, {split(sample, 1, 2, 0), split(sample, 2, 8, 0),
                              split(sample, 2, 8, 0), split(sample, 2, 8, 0)})
                  .empty());
  EXPECT_EQ(table.evicted(), 0U);
}

TEST(DoublingTable, MapThatSplitLongestAgoIsForgottenAndCounted) {
  DoublingTable table(2);
  Sample sample;
  const uint64_t first = sample.resize.map_addr;
  const auto split_of = [&sample, first](uint64_t map, uint64_t directory) {
    sample.resize.map_addr = first + 64 * map;
    return split(sample, 1, directory, 0);
  };
  EXPECT_FALSE(table.add(split_of(0, 2)));
  EXPECT_FALSE(table.add(split_of(1, 2)));
  EXPECT_TRUE(table.add(split_of(0, 4)));
  EXPECT_FALSE(table.add(split_of(2, 2)));  // in place of map 1
  EXPECT_EQ(table.maps(), 2U);
  EXPECT_EQ(table.evicted(), 1U);
  EXPECT_FALSE(table.add(split_of(1, 4)));
  EXPECT_TRUE(table.add(split_of(2, 4)));
}

TEST(DoublingTable, ManyMapsTakeNoMoreThanTheBound) {
  DoublingTable table(100);
  Sample sample;
  for (uint64_t map = 0; map < 1000; ++map) {
    sample.resize.map_addr = 0x1000 + 64 * map;
    EXPECT_FALSE(table.add(split(sample, 1, 2, 0)));
  }
  EXPECT_EQ(table.maps(), 100U);
  EXPECT_EQ(table.evicted(), 900U);
}

TEST(DoublingTable, ImpossibleLevelsAreIgnored) {
  DoublingTable table;
  const Sample sample;
  for (const uint32_t level : {33U, 64U, UINT32_MAX}) {
    Resize wild = split(sample, 1, 2, 0);
    wild.level = level;
    EXPECT_FALSE(table.add(wild));
  }
  Resize wild = split(sample, 0, 1, 0);
  wild.old_slots = UINT64_MAX - 1;
  wild.new_slots = UINT64_MAX;
  const auto doubling = table.add(wild);
  ASSERT_TRUE(doubling);
  EXPECT_GT(doubling->new_slots, doubling->old_slots);
  wild.new_slots.reset();
  EXPECT_FALSE(table.add(wild));
  wild.map_addr = 0;
  EXPECT_FALSE(table.add(wild));
}

}  // namespace
}  // namespace mapscope
