// SPDX-License-Identifier: Apache-2.0
// Savings of a SiteTable for maps that double as a whole and for maps whose tables split.
#include <gtest/gtest.h>

#include "agent/export/summary.h"
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
  EXPECT_EQ(site.savings.growths, 11U);
  EXPECT_EQ(site.savings.time_ns, 1100U);
  // Every table but the first, which was there before, and the last, which stays.
  EXPECT_EQ(site.savings.bytes, (32768 - 16) * kSlotBytes);
  EXPECT_EQ(site.reserve, 13313U);
}

TEST(GrowthChain, MadeForTheReserveAWholeMapIsAsLargeAsItBecame) {
  SiteTable sites;
  const Sample sample;
  for (const Resize& growth : doubling_map(sample)) {
    sites.add(growth);
    // Up to 13/2 of the buckets, 8 for one bucket: what a runtime of this family makes.
    const uint64_t reserve = sites.sites()[0].reserve;
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
  EXPECT_EQ(site.savings.growths, 37U);
  EXPECT_EQ(site.savings.time_ns, 3700U);
  // 16 to 512 slots by growing; then each split drops a table.
  EXPECT_EQ(site.savings.bytes, (1008 + 31 * kTableSlots) * kSlotBytes);
}

TEST(GrowthChain, MadeForTheReserveAMapHasTheTablesOfTheDeepestLevel) {
  SiteTable sites;
  const Sample sample;
  for (const Resize& growth : splitting_map(sample)) {
    sites.add(growth);
    const uint64_t slots = sites.sites()[0].reserve * 8 / 7;
    uint64_t made = 16;
    while (made < slots) made *= 2;
    const uint64_t tables = growth.level ? uint64_t{2} << *growth.level : 1;
    EXPECT_EQ(made, growth.level ? tables * kTableSlots : *growth.new_slots) << slots;
  }
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
  EXPECT_EQ(site.savings.growths, 74U);
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
  EXPECT_EQ(site.savings.growths, 3U);
}

TEST(GrowthChain, MapMadeWithADirectoryBeginsWithAllItsTables) {
  SiteTable sites;
  const Sample sample;
  add_all(sites, {split(sample, 3, 8, 7000), split(sample, 3, 16, 7100)});
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 1U);
  EXPECT_EQ(site.max_new_slots, 10 * kTableSlots);
  EXPECT_EQ(site.savings.growths, 1U);
  EXPECT_EQ(site.reserve, 8 * 896U + 1);
}

TEST(GrowthChain, MapBornAgainWithTablesBeginsANewChain) {
  SiteTable sites;
  const Sample sample;
  add_all(sites, splitting_map(sample));
  add_all(sites, splitting_map(sample));
  SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 2U);
  EXPECT_EQ(site.savings.growths, 74U);
  // From 32 tables no map gets a table that never split.
  sites.add(split(sample, 0, 1, 896));
  site = sites.sites()[0];
  EXPECT_EQ(site.maps, 3U);
  EXPECT_EQ(site.savings.growths, 74U);
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
    EXPECT_EQ(sites.sites()[0].savings.growths, 0U);
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

TEST(GrowthChain, TombstonesMakeTheReserveLargerThanTheEntries) {
  SiteTable sites;
  const Sample sample;
  Resize growth = whole_growth(sample, 512, 50);
  growth.reserve = 449;
  sites.add(growth);
  EXPECT_EQ(sites.sites()[0].max_entries, 51U);
  EXPECT_EQ(sites.sites()[0].reserve, 449U);
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

TEST(Advice, IsWordedByTheRoom) {
  SiteTable sites;
  const Sample sample;
  add_all(sites, splitting_map(sample));
  EXPECT_EQ(advice(sites.sites()[0]),
            "make(map[string]*main.Session, 14337) would have saved 37 resizes, up to 3.70 µs, "
            "512 KiB of garbage");
}

TEST(Advice, OfManyMapsIsForTheLargest) {
  SiteTable sites;
  Sample sample;
  add_all(sites, splitting_map(sample));
  sample.resize.map_addr += 0x1000;
  add_all(sites, {whole_growth(sample, 8, 8), whole_growth(sample, 16, 14)});
  EXPECT_TRUE(
      advice(sites.sites()[0])
          .starts_with("make(map[string]*main.Session, 14337) (the largest of 2 maps) would "
                       "have saved 38 resizes, "))
      << advice(sites.sites()[0]);
}

TEST(Advice, WithoutARoomOrEntriesIsStillASentence) {
  SiteTotals site;
  site.savings.growths = 1;
  EXPECT_EQ(advice(site), "reserving would have saved 1 resize, up to 0 ns");
  site.reserve = 3407873;
  EXPECT_EQ(advice(site), "reserving 3,407,873 entries would have saved 1 resize, up to 0 ns");
}

TEST(Advice, TypeIsEscapedAndBounded) {
  SiteTotals site;
  site.room = &kSampleRuntime;
  site.savings.growths = 1;
  site.map_type = "map[\x1b[31m]" + std::string(5000, 'x');
  const std::string text = advice(site);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_LT(text.size(), 200U);
}

}  // namespace
}  // namespace mapscope
