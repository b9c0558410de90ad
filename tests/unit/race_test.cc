// SPDX-License-Identifier: Apache-2.0
// Races on their way out: event lines, rows, counters, /api/v1/races.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/export/event_json.h"
#include "agent/export/text.h"
#include "agent/model/site_table.h"
#include "tests/support/metric_series.h"
#include "tests/support/sample_resize.h"
#include "tests/support/screen.h"

namespace mapscope {
namespace {

using nlohmann::json;

constexpr std::string_view kTime = "2026-11-23T16:00:00.123456789Z";
constexpr uint64_t kSecondNs = 1'000'000'000;

json race_json(const Race& race) {
  std::string line;
  append_race_json(line, race, kTime);
  return json::parse(line);
}

TEST(Race, EventNamesBothWriters) {
  const Sample sample;
  const json event = race_json(sample.race);
  const json writer = json::parse(R"({"tid": 4245, "goid": 18, "begin_ns": 81234599000,
    "site": {"function": "main.(*Store).Put", "file": "store.go", "line": 42},
    "stack": [{"function": "runtime.mapassign", "file": "map.go", "line": 600},
              {"function": "main.(*Store).Put", "file": "store.go", "line": 42}]})");
  json second = writer;
  second["tid"] = 4246;
  second["goid"] = 19;
  second["begin_ns"] = 81234600000;
  json expected = json::parse(R"({"event": "race", "time": "2026-11-23T16:00:00.123456789Z",
    "pid": 4242, "comm": "store", "exe": "/usr/bin/store", "runtime": "go_swiss",
    "version": "go1.27.4",
    "map": {"addr": "0xc000123000", "type": "map[string]*main.Session"}})");
  expected["first"] = writer;
  expected["second"] = second;
  EXPECT_EQ(event, expected);
}

TEST(Race, UnknownOfAWriterIsAbsent) {
  Sample sample;
  sample.race.map_type = "";
  sample.race.first.goid = 0;
  sample.race.first.stack = nullptr;
  const json event = race_json(sample.race);
  EXPECT_EQ(event.at("first"), json::parse(R"({"tid": 4245, "begin_ns": 81234599000})"));
  EXPECT_EQ(event.at("map"), json::parse(R"({"addr": "0xc000123000"})"));
}

TEST(Race, IsTwoRedLines) {
  Screen screen({kUnlimited, true});
  Sample sample;
  Stack other = sample.stack;
  other.frames[1].line = 77;
  sample.race.first.stack = borrow(other);
  screen.view().row(sample.race);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  for (const std::string& line : lines) EXPECT_TRUE(line.starts_with("\x1b[1;31m")) << line;
  EXPECT_NE(lines[0].find("store/4242 race: goroutine 19 (thread 4246) writes map 0xc000123000 "
                          "map[string]*main.Session at main.(*Store).Put store.go:42"),
            std::string::npos)
      << lines[0];
  EXPECT_NE(lines[1].find("while goroutine 18 (thread 4245) has been writing it for 1.00 µs at "
                          "main.(*Store).Put store.go:77"),
            std::string::npos)
      << lines[1];
}

TEST(Race, WriterWithoutAGoroutineIsAThread) {
  Screen screen({kUnlimited});
  Sample sample;
  sample.race.first.goid = sample.race.second.goid = 0;
  sample.race.first.stack = nullptr;
  screen.view().row(sample.race);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("race: thread 4246 writes"), std::string::npos) << lines[0];
  EXPECT_TRUE(lines[1].ends_with("thread 4245 has been writing it for 1.00 µs at line not sampled"))
      << lines[1];
}

TEST(Race, FloodIsCutAndCounted) {
  Screen screen;
  Sample sample;
  for (uint64_t i = 0; i < 100; ++i) {
    sample.race.second.begin_ns = kSecondNs + i;
    screen.view().row(sample.race);
  }
  // They do not take the place of resizes.
  sample.resize.begin_ns = kSecondNs;
  screen.view().row(sample.resize);
  ASSERT_TRUE(screen.view().tick(2 * kSecondNs));
  EXPECT_EQ(count_lines(screen.lines(), "race: goroutine"), 10U);
  EXPECT_EQ(count_lines(screen.lines(), "… and 90 more races"), 1U);
  EXPECT_EQ(count_lines(screen.lines(), "512→1Ki"), 1U);
}

TEST(Race, HostileTypeIsEscaped) {
  Screen screen;
  Sample sample;
  sample.race.map_type = "map[\x1b[2J\n]" + std::string(500, 'x');
  screen.view().row(sample.race);
  EXPECT_EQ(screen.text().find('\x1b'), std::string::npos);
  for (const std::string& line : screen.lines()) EXPECT_LE(character_count(line), 140U) << line;
}

TEST(Race, IsCountedByMapType) {
  MetricTable table;
  Sample sample;
  table.add(sample.race);
  table.add(sample.race);
  sample.race.map_type = "";
  table.add(sample.race);
  EXPECT_EQ(counter(table, Family::kConcurrentWrites,
                    {{"process", "store"},
                     {"runtime", "go_swiss"},
                     {"map_type", "map[string]*main.Session"}}),
            2);
  EXPECT_EQ(counter(table, Family::kConcurrentWrites, {{"map_type", ""}}), 1);
}

TEST(Race, IsAddedToItsTarget) {
  SiteTable sites;
  const Sample sample;
  sites.add(sample.race);
  EXPECT_EQ(sites.targets()[0].races, 1U);
  const auto lines = summary_lines({sites.targets(), sites.sites(), {}, kSecondNs}, 140);
  EXPECT_EQ(lines.back(), "No map grew in 1.00 s in store/4242; 1 race.");
}

}  // namespace
}  // namespace mapscope
