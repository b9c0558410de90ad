// SPDX-License-Identifier: Apache-2.0
// Promotions, rebuilds and expansions are counted for themselves and spoil nothing about resizes.
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "agent/export/event_json.h"
#include "agent/export/recent_resizes.h"
#include "agent/model/site_table.h"
#include "tests/support/metric_series.h"
#include "tests/support/sample_resize.h"
#include "tests/support/screen.h"

namespace mapscope {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr std::array<const char*, 3> kKinds = {"promotion", "rebuild", "expansion"};

Resize restructuring(const Sample& sample, std::string_view kind) {
  Resize resize;
  resize.target = &sample.target;
  resize.runtime = &kSampleRuntime;
  resize.tid = 4245;
  resize.map_addr = 0xc000200000;
  resize.kind = kind;
  resize.entries = 900;
  if (kind == "promotion") resize.misses = 901;
  resize.begin_ns = kSecondNs;
  resize.goroutine = sample_goroutine();
  resize.stack = borrow(sample.stack);
  return resize;
}

TEST(Restructuring, HasACounterAndNothingElse) {
  MetricTable table;
  const Sample sample;
  for (const char* kind : kKinds) table.add(restructuring(sample, kind));
  table.add(restructuring(sample, "expansion"));
  EXPECT_EQ(counter(table, Family::kSyncMapPromotions, {{"process", "store"}}), 1);
  EXPECT_EQ(counter(table, Family::kSyncMapRebuilds, {{"process", "store"}}), 1);
  EXPECT_EQ(counter(table, Family::kSyncMapExpansions, {{"process", "store"}}), 2);
  EXPECT_EQ(counter(table, Family::kSyncMapMisses, {{"process", "store"}}), 901);
  for (const Family family : {Family::kResizes, Family::kResizeDuration, Family::kResizeStall,
                              Family::kResizeEntries, Family::kGoroutineStatus}) {
    EXPECT_EQ(series_count(table, family), 0U) << spec_of(family).name;
  }
}

TEST(Restructuring, ProcessesBeyondTheCapAreAddedUp) {
  MetricTable table({.max_series = 1});
  Sample sample;
  for (const char* comm : {"a", "b", "c"}) {
    sample.target.comm = comm;
    table.add(restructuring(sample, "promotion"));
  }
  EXPECT_EQ(counter(table, Family::kSyncMapPromotions, {{"process", "a"}}), 1);
  EXPECT_EQ(counter(table, Family::kSyncMapPromotions, {{"process", "other"}}), 2);
}

TEST(Restructuring, EntersNeitherTotalsNorAdvice) {
  SiteTable sites;
  const Sample sample;
  for (int i = 0; i < 3; ++i) sites.add(restructuring(sample, "promotion"));
  sites.add(restructuring(sample, "rebuild"));
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.resizes, 0U);
  EXPECT_EQ(site.max_entries, 0U);
  EXPECT_EQ(site.restructurings.promotions, 3U);
  EXPECT_EQ(site.restructurings.rebuilds, 1U);
  EXPECT_EQ(site.restructurings.expansions, 0U);
  EXPECT_EQ(advice(site), "");
  EXPECT_EQ(sites.targets()[0].resizes, 0U);
  EXPECT_EQ(sites.targets()[0].restructurings.all(), 4U);
  std::string line;
  append_site_json(line, site);
  const auto event = nlohmann::json::parse(line);
  EXPECT_EQ(event.at("promotions"), 3);
  EXPECT_EQ(event.at("misses"), 3 * 901);
  EXPECT_EQ(event.at("rebuilds"), 1);
  EXPECT_FALSE(event.contains("expansions"));
}

TEST(Restructuring, SummaryAddsThemUpByTarget) {
  SiteTable sites;
  const Sample sample;
  for (int i = 0; i < 3; ++i) sites.add(restructuring(sample, "promotion"));
  sites.add(restructuring(sample, "rebuild"));
  const auto lines = summary_lines({sites.targets(), sites.sites(), {}, kSecondNs}, 140);
  EXPECT_EQ(count_lines(lines, "store/4242: 3 promotions after 2,703 misses, 1 rebuild"), 1U);
  EXPECT_EQ(count_lines(lines, "CALL SITE"), 0U);
  EXPECT_EQ(lines[1], "No map grew in 1.00 s in store/4242.");
}

TEST(Restructuring, RowIsShort) {
  Screen screen;
  const Sample sample;
  screen.view().row(restructuring(sample, "promotion"));
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[1].find("promotion"), std::string::npos);
  EXPECT_NE(lines[1].find(" 900 "), std::string::npos);
  EXPECT_EQ(lines[1].find("–"), std::string::npos) << lines[1];
  EXPECT_TRUE(lines[1].ends_with(" main.(*Store).Put store.go:42")) << lines[1];
}

TEST(Restructuring, FloodLeavesRoomForResizes) {
  Screen screen;
  Sample sample;
  for (int i = 0; i < 1000; ++i) screen.view().row(restructuring(sample, "expansion"));
  sample.resize.begin_ns = kSecondNs;
  screen.view().row(sample.resize);
  ASSERT_TRUE(screen.view().tick(2 * kSecondNs));
  EXPECT_EQ(count_lines(screen.lines(), "expansion"), 5U);
  EXPECT_EQ(count_lines(screen.lines(), "… and 995 more promotions or the like"), 1U);
  EXPECT_EQ(count_lines(screen.lines(), "512→1Ki"), 1U);
}

TEST(Restructuring, DoesNotPushOutRecentResizes) {
  RecentResizes recent(1);
  const Sample sample;
  recent.add(sample.resize);
  for (const char* kind : kKinds) recent.add(restructuring(sample, kind));
  EXPECT_EQ(nlohmann::json::parse(recent.json(1))[0].at("kind"), "grow");
}

TEST(Restructuring, HasAnEventOfItsOwn) {
  const Sample sample;
  std::string line;
  append_resize_json(line, restructuring(sample, "promotion"), "2026-11-23T16:00:00.123456789Z");
  const auto event = nlohmann::json::parse(line);
  EXPECT_EQ(event.at("event"), "resize");
  EXPECT_EQ(event.at("kind"), "promotion");
  EXPECT_EQ(event.at("misses"), 901);
  for (const char* absent : {"wall_ns", "stall_ns", "old_slots", "new_slots", "running_ns"})
    EXPECT_FALSE(event.contains(absent)) << absent;
}

}  // namespace
}  // namespace mapscope
