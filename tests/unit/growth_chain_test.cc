// SPDX-License-Identifier: Apache-2.0
// Savings of a SiteTable for maps that double as a whole and for maps whose tables split.
#include <gtest/gtest.h>

#include "agent/model/site_table.h"
#include "tests/support/table_growth.h"

namespace mapscope {
namespace {

void add_all(SiteTable& sites, const std::vector<Resize>& growths) {
  for (const Resize& growth : growths) sites.add(growth);
}

TEST(GrowthChain, WholeMapDoublesToItsLastSize) {
  SiteTable sites;
  const Sample sample;
  add_all(sites, doubling_map(sample));
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 1U);
  EXPECT_EQ(site.growths, 12U);
  EXPECT_EQ(site.max_new_slots, 32768U);
  EXPECT_EQ(site.savings.growths, 12U);
  EXPECT_EQ(site.savings.time_ns, 1200U);
  // Every table but the last, which stays.
  EXPECT_EQ(site.savings.bytes, (32768 - 8) * kSlotBytes);
  EXPECT_EQ(site.advice->reserve.hint, 13313U);
}

TEST(GrowthChain, MadeForTheReserveAWholeMapIsAsLargeAsItBecame) {
  SiteTable sites;
  const Sample sample;
  for (const Resize& growth : doubling_map(sample)) {
    sites.add(growth);
    // Up to 13/2 of the buckets, 8 for one bucket: what a runtime of this family makes.
    const uint64_t reserve = sites.sites()[0].advice->reserve.hint;
    uint64_t buckets = 1;
    while (reserve > 8 && reserve > 13 * (buckets / 2)) buckets *= 2;
    EXPECT_EQ(8 * buckets, *growth.new_slots) << reserve;
  }
}

TEST(GrowthChain, SplitsAreSlotsOfOneMap) {
  SiteTable sites;
  const Sample sample;
  const auto growths = splitting_map(sample);
  ASSERT_EQ(growths.size(), 38U);
  add_all(sites, growths);
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 1U);
  EXPECT_EQ(site.growths, 38U);
  EXPECT_EQ(site.max_new_slots, 32 * kTableSlots);
  EXPECT_EQ(site.savings.growths, 38U);
  EXPECT_EQ(site.savings.time_ns, 3800U);
  // 8 to 512 slots by growing; then each split drops a table.
  EXPECT_EQ(site.savings.bytes, (1016 + 31 * kTableSlots) * kSlotBytes);
}

TEST(GrowthChain, SplitsOfTwoMapsAreTwoChains) {
  SiteTable sites;
  Sample sample;
  auto first = splitting_map(sample);
  sample.resize.map_addr += 0x1000;
  const auto second = splitting_map(sample);
  for (size_t i = 0; i < first.size(); ++i) {
    sites.add(first[i]);
    sites.add(second[i]);
  }
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 2U);
  EXPECT_EQ(site.savings.growths, 76U);
  EXPECT_EQ(site.max_new_slots, 32 * kTableSlots);
}

TEST(GrowthChain, LevelsOverlap) {
  SiteTable sites;
  const Sample sample;
  // One table of 2 splits twice before the other splits: 1, 2, 3, 4, 5 tables.
  add_all(sites, {split(sample, 0, 1, 896), split(sample, 1, 2, 1700), split(sample, 2, 4, 2600),
                  split(sample, 1, 8, 2700)});
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 1U);
  EXPECT_EQ(site.max_new_slots, 5 * kTableSlots);
  EXPECT_EQ(site.savings.growths, 4U);
}

TEST(GrowthChain, MapMadeWithADirectoryBeginsWithAllItsTables) {
  SiteTable sites;
  const Sample sample;
  add_all(sites, {split(sample, 3, 8, 7000), split(sample, 3, 16, 7100)});
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 1U);
  EXPECT_EQ(site.max_new_slots, 10 * kTableSlots);
  EXPECT_EQ(site.savings.growths, 2U);
  EXPECT_EQ(site.advice->reserve.hint, 7182U);
}

TEST(GrowthChain, MapBornAgainWithTablesBeginsANewChain) {
  SiteTable sites;
  const Sample sample;
  add_all(sites, splitting_map(sample));
  add_all(sites, splitting_map(sample));
  SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 2U);
  EXPECT_EQ(site.savings.growths, 76U);
  // From 32 tables no map gets a table that never split.
  sites.add(split(sample, 0, 1, 896));
  site = sites.sites()[0];
  EXPECT_EQ(site.maps, 3U);
}

TEST(GrowthChain, SplitThatCannotFollowBeginsANewChain) {
  const Sample sample;
  const struct {
    Resize first, second;
  } cases[] = {
      // 2 tables, and one that split 5 times.
      {split(sample, 0, 1, 896), split(sample, 5, 32, 900)},
      // More tables than the directory lists.
      {split(sample, 4, 16, 14000), split(sample, 2, 4, 3000)},
      // More entries than the slots that were seen.
      {split(sample, 1, 2, 1700), split(sample, 1, 4, 4000)},
  };
  for (const auto& [first, second] : cases) {
    SiteTable sites;
    add_all(sites, {first, second});
    EXPECT_EQ(sites.sites()[0].maps, 2U);
  }
}

TEST(GrowthChain, HostileSizesDoNotOverflow) {
  SiteTable sites;
  Sample sample;
  Resize wild = split(sample, 0, 1, UINT64_MAX - 1);
  for (const uint32_t level : {0U, 47U, 48U, 63U, 64U, UINT32_MAX}) {
    for (const uint64_t old_slots : {uint64_t{0}, uint64_t{1}, UINT64_MAX - 1}) {
      wild.level = level;
      wild.old_slots = old_slots;
      wild.new_slots = UINT64_MAX;
      sites.add(wild);
      wild.map_addr = wild.map_addr == 0 ? sample.resize.map_addr : 0;
      sites.add(wild);
    }
  }
  EXPECT_EQ(sites.sites()[0].growths, 36U);
}

TEST(GrowthChain, MapsOfTwoTypesAtOneLineAreTwoSites) {
  SiteTable sites;
  Sample sample;
  sites.add(sample.resize);
  sample.resize.map_type = "map[int]int";
  sites.add(sample.resize);
  const auto all = sites.sites();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].map_type, "map[int]int");
  EXPECT_EQ(all[1].map_type, "map[string]*main.Session");
  EXPECT_EQ(all[0].line, all[1].line);
}

}  // namespace
}  // namespace mapscope
