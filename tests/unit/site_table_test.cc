// SPDX-License-Identifier: Apache-2.0
#include "agent/model/site_table.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

// A growth of one map, `stall_ns` and `bytes` of the new table being told apart by their size.
void grow(SiteTable& sites, Sample& sample, uint64_t old_slots, uint64_t stall_ns) {
  sample.resize.old_slots = old_slots;
  sample.resize.new_slots = 2 * old_slots;
  sample.resize.entries = old_slots / 2;
  sample.resize.new_bytes = 32 * old_slots;
  sample.resize.old_bytes = 16 * old_slots;
  sample.resize.reserve = Reserve{old_slots + 1, 2 * old_slots, 2 * old_slots, 32 * old_slots};
  sample.resize.stall_ns = stall_ns;
  sample.resize.wall_ns = 10 * stall_ns;
  sites.add(sample.resize);
}

TEST(SiteTable, AddsUpAResizeAtItsSite) {
  SiteTable sites;
  Sample sample;
  sample.resize.blocked = Blocked{7, 900};
  sample.resize.stall_ns = 300;
  sites.add(sample.resize);
  sites.add(sample.resize);
  const auto all = sites.sites();
  ASSERT_EQ(all.size(), 1U);
  const SiteTotals& site = all[0];
  EXPECT_EQ(site.function, "main.(*Store).Put");
  EXPECT_EQ(site.file, "store.go");
  EXPECT_EQ(site.line, 42U);
  EXPECT_EQ(site.address, 0U);
  EXPECT_EQ(site.exe, "/usr/bin/store");
  EXPECT_EQ(site.process, "store");
  EXPECT_EQ(site.runtime, "go_swiss");
  EXPECT_EQ(site.map_type, "map[string]*main.Session");
  EXPECT_EQ(site.resizes, 2U);
  EXPECT_EQ(site.growths, 2U);
  EXPECT_EQ(site.stall_ns, 600U);
  EXPECT_EQ(site.wall_ns, 76600U);
  EXPECT_EQ(site.cost_ns, 600U);
  EXPECT_EQ(site.blocked_ns, 1800U);
  EXPECT_EQ(site.blocked_threads, 14U);
  EXPECT_EQ(site.max_new_slots, 1024U);
  EXPECT_EQ(site.max_entries, 449U);
}

TEST(SiteTable, CountsTheWallTimeWhereTheStallIsUnknown) {
  SiteTable sites;
  Sample sample;
  sample.resize.stall_ns.reset();
  sites.add(sample.resize);
  EXPECT_EQ(sites.sites()[0].cost_ns, 38300U);
  EXPECT_EQ(sites.sites()[0].stall_ns, 0U);
  EXPECT_EQ(sites.sites()[0].untimed, 1U);
}

TEST(SiteTable, ChainIsOneMapAndSavesAllItsGrowths) {
  SiteTable sites;
  Sample sample;
  grow(sites, sample, 8, 100);
  grow(sites, sample, 16, 200);
  grow(sites, sample, 32, 400);
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 1U);
  EXPECT_EQ(site.savings.growths, 3U);
  EXPECT_EQ(site.savings.time_ns, 700U);
  EXPECT_EQ(site.savings.bytes, 16U * (8 + 16 + 32));
  EXPECT_EQ(site.max_entries, 17U);
}

TEST(SiteTable, SingleGrowthIsSaved) {
  SiteTable sites;
  Sample sample;
  grow(sites, sample, 8, 100);
  EXPECT_EQ(sites.sites()[0].savings.growths, 1U);
  EXPECT_EQ(sites.sites()[0].advice->reserve.hint, 9U);
}

TEST(SiteTable, NoMoreTimeIsSavedThanInsertsStalled) {
  SiteTable sites;
  Sample sample;
  grow(sites, sample, 8, 100);
  sample.resize.old_slots = 16;
  sample.resize.new_slots = 32;
  sample.resize.stall_ns.reset();  // what goes on meanwhile is paid by many inserts
  sample.resize.wall_ns = 1'000'000'000;
  sites.add(sample.resize);
  EXPECT_EQ(sites.sites()[0].stall_ns, 100U);
  EXPECT_EQ(sites.sites()[0].savings.time_ns, 100U);
}

TEST(SiteTable, MapBornAgainAtTheSameAddressBeginsANewChain) {
  SiteTable sites;
  Sample sample;
  for (int i = 0; i < 3; ++i) {
    grow(sites, sample, 8, 100);
    grow(sites, sample, 16, 200);
  }
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.maps, 3U);
  EXPECT_EQ(site.savings.growths, 6U);
  EXPECT_EQ(site.savings.time_ns, 900U);
}

TEST(SiteTable, MapsAtDifferentAddressesAreDifferentChains) {
  SiteTable sites;
  Sample sample;
  grow(sites, sample, 8, 100);
  sample.resize.map_addr += 4096;
  grow(sites, sample, 16, 100);
  EXPECT_EQ(sites.sites()[0].maps, 2U);
}

TEST(SiteTable, ProcessesOfOneProgramShareASiteButNoChain) {
  SiteTable sites;
  Sample first;
  Sample second;
  second.target.id = 2;
  second.target.pid = 4343;
  grow(sites, first, 8, 100);
  grow(sites, second, 16, 100);
  const auto all = sites.sites();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].growths, 2U);
  EXPECT_EQ(all[0].maps, 2U);
}

TEST(SiteTable, GrowthFromAnotherLineSavesAtThatLine) {
  SiteTable sites;
  Sample first;
  Sample second;
  second.stack.frames[1].line = 99;
  grow(sites, first, 8, 100);
  grow(sites, second, 16, 200);
  const auto all = sites.sites();  // dearest first: line 99
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].line, 99U);
  EXPECT_EQ(all[0].savings.growths, 1U);
  EXPECT_EQ(all[0].advice->reserve.slots, 32U);
  EXPECT_EQ(all[1].savings.growths, 1U);
  EXPECT_EQ(all[1].advice->reserve.slots, 16U);
}

TEST(SiteTable, SameSizeResizeIsNoGrowth) {
  SiteTable sites;
  Sample sample;
  grow(sites, sample, 8, 100);
  sample.resize.old_slots = 16;
  sample.resize.new_slots = 16;
  sample.resize.kind = "same_size";
  sites.add(sample.resize);
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.resizes, 2U);
  EXPECT_EQ(site.growths, 1U);
  EXPECT_EQ(site.savings.growths, 1U);
}

TEST(SiteTable, UnknownMapAddressFormsNoChain) {
  SiteTable sites;
  Sample sample;
  sample.resize.map_addr = 0;
  grow(sites, sample, 8, 100);
  grow(sites, sample, 16, 100);
  EXPECT_EQ(sites.sites()[0].maps, 2U);
}

TEST(SiteTable, ResizeWithoutStackIsAtItsCaller) {
  SiteTable sites;
  Sample sample;
  sample.resize.stack = nullptr;
  sites.add(sample.resize);
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.function, "");
  EXPECT_EQ(site.address, 0x4011c0U);
}

TEST(SiteTable, UnnamedFrameIsAtItsOwnAddress) {
  SiteTable sites;
  Sample sample;
  sample.stack.frames[1] = Frame{};
  sample.stack.frames[1].address = 0x5000;
  sites.add(sample.resize);
  EXPECT_EQ(sites.sites()[0].address, 0x5000U);
}

TEST(SiteTable, SitesBeyondTheBoundAreAddedUpInOther) {
  SiteTable sites(2);
  Sample sample;
  for (uint32_t line = 1; line <= 5; ++line) {
    sample.stack.frames[1].line = line;
    sites.add(sample.resize);
  }
  const auto all = sites.sites();
  ASSERT_EQ(all.size(), 3U);
  uint64_t other = 0;
  for (const SiteTotals& site : all) {
    if (site.other) other = site.resizes;
  }
  EXPECT_EQ(other, 3U);
}

TEST(SiteTable, MapOfAForgottenChainIsOneOfThoseOfItsSize) {
  SiteTable sites;
  Sample sample;
  constexpr uint64_t kMaps = 40000;
  for (const uint64_t slots : {8U, 16U}) {
    for (uint64_t map = 0; map < kMaps; ++map) {
      sample.resize.map_addr = 0x7f0000000000 + 64 * map;
      grow(sites, sample, slots, 1);
    }
  }
  const SiteTotals site = sites.sites()[0];
  EXPECT_GE(sites.chains_evicted(), kMaps - 16384);
  EXPECT_EQ(site.maps, kMaps);
  EXPECT_EQ(site.savings.growths, 2 * kMaps);
  EXPECT_EQ(site.advice->smaller, 0U);
}

TEST(SiteTable, MapThatMovesWithItsStackIsOne) {
  SiteTable sites;
  Sample sample;
  sample.resize.goroutine = sample_goroutine();
  for (uint64_t slots = 8; slots <= 1024; slots *= 2) {
    sample.resize.map_addr = sample.resize.goroutine->stack_lo + slots;
    grow(sites, sample, slots, 100);
  }
  EXPECT_EQ(sites.sites()[0].maps, 1U);
}

TEST(SiteTable, SitesAreSortedByCost) {
  SiteTable sites;
  Sample sample;
  for (uint32_t line = 1; line <= 3; ++line) {
    sample.stack.frames[1].line = line;
    sample.resize.stall_ns = 1000 * line;
    sites.add(sample.resize);
  }
  const auto all = sites.sites();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].line, 3U);
  EXPECT_EQ(all[2].line, 1U);
}

TEST(SiteTable, TargetsAreCountedByTarget) {
  SiteTable sites;
  Sample first;
  Sample second;
  second.target.id = 2;
  second.target.pid = 17;
  sites.add(first.resize);
  sites.add(second.resize);
  sites.add(second.fatal);
  const auto all = sites.targets();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].pid, 17);
  EXPECT_EQ(all[0].fatals, 1U);
  EXPECT_EQ(all[0].resizes, 1U);
  EXPECT_EQ(all[1].pid, 4242);
  EXPECT_EQ(all[1].fatals, 0U);
  EXPECT_EQ(all[1].wall_ns, 38300U);
}

TEST(SiteTable, ConcurrentReadsSeeWholeResizes) {
  SiteTable sites;
  constexpr uint64_t kResizes = 20000;
  std::thread writer([&] {
    Sample sample;
    sample.resize.stall_ns = 3;
    for (uint64_t i = 0; i < kResizes; ++i) sites.add(sample.resize);
  });
  for (uint64_t seen = 0; seen < kResizes;) {
    const auto all = sites.sites();
    if (all.empty()) continue;
    seen = all[0].resizes;
    EXPECT_EQ(all[0].stall_ns, 3 * seen);
  }
  writer.join();
}

}  // namespace
}  // namespace mapscope
