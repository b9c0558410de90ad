// SPDX-License-Identifier: Apache-2.0
// The last fatals and races, as /api/v1 and the landing page show them.
#include "agent/export/recent_events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/export/event_text.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

using nlohmann::json;

TEST(RecentEvents, KeepsTheLastNewestLast) {
  RecentEvents recent(3);
  Sample sample;
  for (uint64_t i = 1; i <= 5; ++i) {
    sample.race.second.begin_ns = i;
    recent.add(sample.race);
  }
  const json all = json::parse(recent.json(100));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].at("second").at("begin_ns"), 3);
  EXPECT_EQ(all[2].at("second").at("begin_ns"), 5);
  EXPECT_EQ(json::parse(recent.json(1))[0].at("second").at("begin_ns"), 5);
  EXPECT_EQ(recent.json(0), "[]");
}

TEST(RecentEvents, KeepsAHundredByDefault) {
  RecentEvents recent;
  const Sample sample;
  for (int i = 0; i < 101; ++i) recent.add(sample.fatal);
  EXPECT_EQ(json::parse(recent.json(SIZE_MAX)).size(), 100U);
}

TEST(RecentEvents, OutlivesWhatTheRacePointedTo) {
  RecentEvents recent;
  {
    Sample sample;
    const std::string comm = "worker, long enough to be on the heap";
    sample.race.comm = comm;
    sample.race.first.stack = nullptr;
    recent.add(sample.race);
  }
  const json race = json::parse(recent.json(1))[0];
  EXPECT_EQ(race.at("comm"), "worker, long enough to be on the heap");
  EXPECT_EQ(race.at("exe"), "/usr/bin/store");
  EXPECT_FALSE(race.at("first").contains("stack"));
  EXPECT_EQ(race.at("second").at("site").at("line"), 42);
  EXPECT_EQ(race.at("second").at("stack").size(), 2U);
}

TEST(RecentEvents, OfOneProcessAreTheLastOfThatProcess) {
  RecentEvents recent;
  Sample sample;
  for (uint64_t i = 1; i <= 6; ++i) {
    sample.target.comm = i % 2 == 0 ? "even" : "odd";
    sample.fatal.time_ns = i;
    recent.add(sample.fatal);
  }
  const json two = json::parse(recent.json(2, "odd"));
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].at("time_ns"), 3);
  EXPECT_EQ(two[1].at("time_ns"), 5);
  EXPECT_EQ(recent.json(10, "od"), "[]");
}

TEST(RecentEvents, TextOfAFatalSaysWhoWhereAndWhatBefore) {
  RecentEvents recent;
  Sample sample;
  sample.fatal.goroutine = sample_goroutine();
  sample.fatal.last_growth_ns = sample.fatal.time_ns - 1'230'000;
  sample.fatal.last_growth_slots = 1024;
  recent.add(sample.fatal);
  EXPECT_EQ(
      recent.last(1).at(0).text,
      "store (pid 4242), goroutine 18 (thread 4246): fatal error: concurrent map writes of map "
      "0xc000123000 at main.(*Store).Put store.go:42; the map last grew to 1 Ki slots 1.23 ms "
      "before");
}

}  // namespace
}  // namespace mapscope
