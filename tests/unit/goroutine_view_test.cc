// SPDX-License-Identifier: Apache-2.0
// Goroutines, and what else a resize and a fatal of a Go program say, in events, rows and counters.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/export/event_json.h"
#include "agent/export/text.h"
#include "tests/support/metric_series.h"
#include "tests/support/sample_resize.h"
#include "tests/support/screen.h"

namespace mapscope {
namespace {

using nlohmann::json;

constexpr std::string_view kTime = "2026-11-23T16:00:00.123456789Z";

json resize_json(const Resize& resize) {
  std::string line;
  append_resize_json(line, resize, kTime);
  return json::parse(line);
}

json fatal_json(const Fatal& fatal) {
  std::string line;
  append_fatal_json(line, fatal, kTime);
  return json::parse(line);
}

TEST(Goroutine, EventSaysWhoseInsertItWas) {
  Sample sample;
  sample.resize.goroutine = sample_goroutine();
  EXPECT_EQ(resize_json(sample.resize).at("goroutine"), json::parse(R"({"id": 18,
    "status": "running", "stack_bytes": 8192, "stack_lo": "0xc000100000",
    "stack_hi": "0xc000102000", "m": 3, "start_function": "main.worker"})"));
}

TEST(Goroutine, UnknownIsAbsent) {
  Sample sample;
  EXPECT_FALSE(resize_json(sample.resize).contains("goroutine"));
  sample.resize.goroutine = Goroutine{18, "", 0, 0, -1, ""};
  EXPECT_EQ(resize_json(sample.resize).at("goroutine"), json::parse(R"({"id": 18})"));
  // A stack whose bounds were read while it moved has no size.
  sample.resize.goroutine = Goroutine{18, "running", 0x2000, 0x1000, 0, ""};
  EXPECT_EQ(resize_json(sample.resize).at("goroutine"),
            json::parse(R"({"id": 18, "status": "running", "m": 0})"));
}

TEST(Goroutine, StatesOfTheStallAreSaidToBe) {
  Sample sample;
  EXPECT_FALSE(resize_json(sample.resize).contains("states_of"));
  sample.resize.thread_of_stall = true;
  EXPECT_EQ(resize_json(sample.resize).at("states_of"), "stall");
  sample.resize.thread.reset();
  EXPECT_FALSE(resize_json(sample.resize).contains("states_of"));
}

TEST(Goroutine, EventOfASplitHasDirectoriesAndLevel) {
  Sample sample;
  sample.resize.old_directory = 4;
  sample.resize.new_directory = 8;
  sample.resize.level = 0;
  sample.resize.ended_by_clear = true;
  const json event = resize_json(sample.resize);
  EXPECT_EQ(event.at("old_directory"), 4);
  EXPECT_EQ(event.at("new_directory"), 8);
  EXPECT_EQ(event.at("level"), 0);
  EXPECT_EQ(event.at("ended_by_clear"), true);
}

TEST(Goroutine, FatalSaysWhoAndWhenTheMapGrewLast) {
  Sample sample;
  sample.fatal.goroutine = sample_goroutine();
  sample.fatal.last_growth_ns = sample.fatal.time_ns - 2'000'000;
  sample.fatal.last_growth_slots = 4096;
  const json event = fatal_json(sample.fatal);
  EXPECT_EQ(event.at("goroutine").at("id"), 18);
  EXPECT_EQ(event.at("last_growth"),
            json::parse(R"({"begin_ns": 81232600000, "new_slots": 4096})"));
  sample.fatal.growing = true;
  sample.fatal.last_growth_slots.reset();
  EXPECT_EQ(fatal_json(sample.fatal).at("last_growth"),
            json::parse(R"({"begin_ns": 81232600000, "growing": true})"));
  sample.fatal.last_growth_ns.reset();
  EXPECT_FALSE(fatal_json(sample.fatal).contains("last_growth"));
}

TEST(Goroutine, FatalSaysWhetherItIsTheFirstOfItsProcess) {
  Sample sample;
  EXPECT_EQ(fatal_json(sample.fatal).at("is_first"), true);
  sample.fatal.is_first = false;
  EXPECT_EQ(fatal_json(sample.fatal).at("is_first"), false);
}

TEST(Goroutine, DoublingEventHasItsSplits) {
  const Sample sample;
  std::string line;
  append_doubling_json(line, sample.doubling, kTime);
  EXPECT_EQ(json::parse(line), json::parse(R"({"event": "doubling",
    "time": "2026-11-23T16:00:00.123456789Z", "pid": 4242, "comm": "store",
    "exe": "/usr/bin/store", "runtime": "go_swiss", "version": "go1.27.4",
    "map": {"addr": "0xc000123000", "type": "map[string]*main.Session"}, "old_slots": 16384,
    "new_slots": 32768, "splits": 16, "begin_ns": 81200000000, "end_ns": 81234567890,
    "stall_ns": 640000})"));
}

TEST(Goroutine, TargetSaysWhatIsNotSeen) {
  Sample sample;
  sample.target.unseen = {"growths inlined into \"main.fill\"", "prunes"};
  std::string line;
  append_target_json(line, sample.target, kTime);
  const json event = json::parse(line);
  EXPECT_EQ(event.at("version"), "go1.27.4");
  EXPECT_EQ(event.at("unseen"), json::parse(R"(["growths inlined into \"main.fill\"", "prunes"])"));
}

TEST(Goroutine, RowShowsItInPlaceOfTheThread) {
  Screen screen;
  Sample sample;
  sample.resize.goroutine = sample_goroutine();
  screen.view().row(sample.resize);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find(" GOID "), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("     g18 "), std::string::npos) << lines[1];
  EXPECT_EQ(lines[1].find("4245"), std::string::npos);
  EXPECT_EQ(character_count(lines[0].substr(0, lines[0].find("GOID") + 4)),
            character_count(lines[1].substr(0, lines[1].find("g18") + 3)));
}

TEST(Goroutine, HeaderIsRepeatedWhenThreadsAndGoroutinesMix) {
  Screen screen;
  Sample sample;
  screen.view().row(sample.resize);
  sample.resize.goroutine = sample_goroutine();
  for (int i = 0; i < 3; ++i) screen.view().row(sample.resize);
  sample.resize.goroutine.reset();
  screen.view().row(sample.resize);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 7U);
  EXPECT_NE(lines[0].find(" THREAD "), std::string::npos);
  EXPECT_NE(lines[2].find(" TID/G "), std::string::npos);
  EXPECT_EQ(count_lines(lines, "CALL SITE"), 2U);
}

TEST(Goroutine, LargestNumberFits) {
  Screen screen;
  Sample sample;
  sample.resize.goroutine = sample_goroutine();
  sample.resize.goroutine->id = UINT64_MAX;
  screen.view().row(sample.resize);
  for (const std::string& line : screen.lines()) EXPECT_LE(character_count(line), 140U) << line;
}

TEST(Goroutine, FatalRowSaysWhoAndWhenTheMapGrewLast) {
  Screen screen({kUnlimited});
  Sample sample;
  sample.fatal.goroutine = sample_goroutine();
  sample.fatal.last_growth_ns = sample.fatal.time_ns - 2'000'000;
  sample.fatal.last_growth_slots = 4096;
  screen.view().row(sample.fatal);
  sample.fatal.growing = true;
  screen.view().row(sample.fatal);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].ends_with(
      "store/4242 goroutine 18 (thread 4246): fatal error: concurrent map writes of map "
      "0xc000123000 at main.(*Store).Put store.go:42; the map last grew to 4 Ki slots 2.00 ms "
      "before"))
      << lines[0];
  EXPECT_TRUE(lines[1].ends_with("; the map had been growing to 4 Ki slots for 2.00 ms"))
      << lines[1];
}

TEST(Goroutine, DoublingIsADimLine) {
  Screen screen({kUnlimited, true});
  Sample sample;
  screen.view().row(sample.doubling);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].starts_with("\x1b[2m"));
  EXPECT_NE(lines[0].find("map 0xc000123000 map[string]*main.Session doubled 16Ki→32Ki slots: 16 "
                          "splits in 34.6 ms, 640 µs of stalls"),
            std::string::npos)
      << lines[0];
}

TEST(Goroutine, DoublingByOneSplitHasNoLineOfItsOwn) {
  Screen screen;
  Sample sample;
  sample.doubling.splits = 1;
  screen.view().row(sample.doubling);
  EXPECT_EQ(screen.text(), "");
}

TEST(Goroutine, ResizesAreCountedByStatus) {
  MetricTable table;
  Sample sample;
  table.add(sample.resize);
  EXPECT_EQ(series_count(table, Family::kGoroutineStatus), 0U);
  sample.resize.goroutine = sample_goroutine();
  table.add(sample.resize);
  table.add(sample.resize);
  sample.resize.goroutine->status = "waiting";
  table.add(sample.resize);
  const Labels store = {{"process", "store"}, {"runtime", "go_swiss"}};
  Labels running = store;
  running["status"] = "running";
  EXPECT_EQ(counter(table, Family::kGoroutineStatus, running), 2);
  EXPECT_EQ(counter(table, Family::kGoroutineStatus, {{"status", "waiting"}}), 1);
}

TEST(Goroutine, DoublingsAreCountedByMapType) {
  MetricTable table({.max_series = 2});
  Sample sample;
  table.add(sample.doubling);
  EXPECT_EQ(counter(table, Family::kMapDoublings, {{"map_type", "map[string]*main.Session"}}), 1);
  for (const char* type : {"a", "b", "c"}) {
    sample.doubling.map_type = type;
    table.add(sample.doubling);
  }
  EXPECT_EQ(counter(table, Family::kMapDoublings, {{"map_type", "other"}}), 2);
}

}  // namespace
}  // namespace mapscope
