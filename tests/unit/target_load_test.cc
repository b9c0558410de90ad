// SPDX-License-Identifier: Apache-2.0
// The load program's parts: its histogram, its truth, its options and its runs.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "target/load/child.h"
#include "target/load/latency_histogram.h"
#include "target/load/options.h"
#include "target/load/run_record.h"
#include "target/truth/growth_log.h"

namespace mapscope {
namespace {

using nlohmann::json;

std::vector<json> truth_of(const GrowthLog& log, bool with_waits) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  EXPECT_TRUE(log.write_truth(file, with_waits));
  std::fclose(file);
  std::istringstream lines(std::string(text, size));
  std::free(text);
  std::vector<json> truth;
  for (std::string line; std::getline(lines, line);) truth.push_back(json::parse(line));
  return truth;
}

TEST(LatencyHistogram, PercentilesAreWithinOneBucket) {
  LatencyHistogram histogram{};
  for (uint64_t ns = 1; ns <= 100'000; ++ns) histogram.record(ns);
  EXPECT_EQ(histogram.count(), 100'000U);
  EXPECT_NEAR(static_cast<double>(histogram.percentile_ns(0.5)), 50'000, 50'000 / 32.0);
  EXPECT_NEAR(static_cast<double>(histogram.percentile_ns(0.99)), 99'000, 99'000 / 32.0);
  EXPECT_EQ(histogram.percentile_ns(1), 100'000U);
}

TEST(LatencyHistogram, SmallAndHugeDurationsAreKept) {
  LatencyHistogram histogram{};
  histogram.record(0);
  histogram.record(~uint64_t{0});
  EXPECT_EQ(histogram.percentile_ns(0.5), 0U);
  EXPECT_EQ(histogram.percentile_ns(1), ~uint64_t{0});
}

TEST(LatencyHistogram, MergeAddsCountsAndKeepsMaximum) {
  LatencyHistogram left{};
  LatencyHistogram right{};
  left.record(10);
  right.record(1'000);
  left.merge(right);
  EXPECT_EQ(left.count(), 2U);
  EXPECT_EQ(left.max_ns(), 1'000U);
}

TEST(GrowthLog, FinishedGrowthHasAllFields) {
  GrowthLog log;
  HashMap map({.growth = GrowthMode::kStopTheWorld, .observer = &log});
  for (uint64_t key = 0; key < 9; ++key) map.insert(key, key);
  const std::vector<json> truth = truth_of(log, false);
  ASSERT_EQ(truth.size(), 1U);
  std::ostringstream address;
  address << "0x" << std::hex << reinterpret_cast<uintptr_t>(&map);
  EXPECT_EQ(truth[0]["map"], address.str());
  EXPECT_EQ(truth[0]["tid"], gettid());
  EXPECT_EQ(truth[0]["old_slots"], 8);
  EXPECT_EQ(truth[0]["new_slots"], 16);
  EXPECT_EQ(truth[0]["entries"], 8);
  EXPECT_EQ(truth[0]["kind"], "grow");
  EXPECT_EQ(truth[0]["trigger"], "load");
  EXPECT_GT(truth[0]["end_ns"], truth[0]["begin_ns"]);
  EXPECT_GT(truth[0]["stall_ns"], 0);
  EXPECT_FALSE(truth[0].contains("blocked_threads"));
}

TEST(GrowthLog, UnfinishedGrowthHasNoEnd) {
  GrowthLog log;
  HashMap map({.observer = &log});
  for (uint64_t key = 0; key < 833; ++key) map.insert(key, key);
  ASSERT_TRUE(map.growing());
  EXPECT_FALSE(truth_of(log, false).back().contains("end_ns"));
}

TEST(GrowthLog, WaitCountsForTheStallItOverlaps) {
  GrowthLog log;
  HashMap map({.growth = GrowthMode::kStopTheWorld, .observer = &log});
  for (uint64_t key = 0; key < 14; ++key) map.insert(key, key);
  const GrowthTimes& last = *map.last_growth();
  const uint64_t end_ns = last.begin_ns + last.stall_ns;
  log.waited(map, last.begin_ns + last.stall_ns / 2, end_ns + 1'000'000);  // came half-way
  log.waited(map, last.begin_ns - 1, end_ns + 1);                          // waited for all of it
  log.waited(map, end_ns + 1, end_ns + 2);                                 // came later
  const std::vector<json> truth = truth_of(log, true);
  ASSERT_EQ(truth.size(), 2U);
  EXPECT_EQ(truth[0]["blocked_threads"], 0);
  EXPECT_EQ(truth[1]["blocked_threads"], 2);
  EXPECT_EQ(truth[1]["blocked_ns"], last.stall_ns + (last.stall_ns - last.stall_ns / 2));
}

TEST(GrowthLog, ResizingTimeCountsOverlapOnce) {
  GrowthLog log;
  HashMap map({.observer = &log});
  const mapscope_growth growth = {8, 16, 8, 288, MAPSCOPE_KIND_GROW, MAPSCOPE_TRIGGER_LOAD, ""};
  for (const auto& [begin_ns, end_ns] : {std::pair{100, 200}, {150, 300}, {400, 450}, {410, 420}}) {
    GrowthTimes* times = log.growth_begins(map, growth);
    times->begin_ns = static_cast<uint64_t>(begin_ns);
    times->end_ns = static_cast<uint64_t>(end_ns);
  }
  EXPECT_EQ(log.resizing_ns(), 250U);
}

TEST(GrowthLog, HoldsMoreGrowthsThanOneChunk) {
  GrowthLog log;
  for (int round = 0; round < 20'000; ++round) {
    HashMap map({.observer = &log});
    for (uint64_t key = 0; key < 9; ++key) map.insert(key, key);
  }
  EXPECT_EQ(log.growths().size(), 20'000U);
  EXPECT_EQ(log.dropped(), 0U);
}

std::optional<int> parse(std::vector<std::string> words, LoadOptions& options) {
  words.insert(words.begin(), "target");
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& word : words) argv.push_back(word.data());
  return parse_options(static_cast<int>(argv.size()), argv.data(), options);
}

TEST(TargetOptions, DefaultIsAMillionInsertsIntoAPlainMap) {
  LoadOptions options;
  EXPECT_EQ(parse({}, options), std::nullopt);
  EXPECT_EQ(options.strategy, Strategy::kPlain);
  EXPECT_EQ(options.inserts, 1'000'000U);
  EXPECT_EQ(options.threads, 1U);
}

TEST(TargetOptions, ChoicesAreUnderstood) {
  LoadOptions options;
  EXPECT_EQ(parse({"--strategy", "sync_map", "--growth", "stop_the_world", "--workload", "churn",
                   "--seconds", "0.5"},
                  options),
            std::nullopt);
  EXPECT_EQ(options.strategy, Strategy::kSyncMap);
  EXPECT_EQ(options.growth, GrowthMode::kStopTheWorld);
  EXPECT_EQ(options.workload, Workload::kChurn);
  EXPECT_EQ(options.seconds, 0.5);
  EXPECT_EQ(options.keys, 1'600U);
}

class WrongOptions : public testing::TestWithParam<std::vector<std::string>> {};
INSTANTIATE_TEST_SUITE_P(
    Lines, WrongOptions,
    testing::Values(std::vector<std::string>{"--strategy", "fast"},
                    std::vector<std::string>{"--threads", "0"},
                    std::vector<std::string>{"--read-share", "1"},
                    std::vector<std::string>{"--inserts", "-1"},
                    std::vector<std::string>{"--inserts", "1", "--seconds", "1"},
                    std::vector<std::string>{"--compare", "--inserts", "1"},
                    std::vector<std::string>{"--rate", "5"},
                    std::vector<std::string>{"--workload", "tiny", "--compare"},
                    std::vector<std::string>{"surplus"}));

TEST_P(WrongOptions, EndWithUsageError) {
  LoadOptions options;
  testing::internal::CaptureStderr();
  EXPECT_EQ(parse(GetParam(), options), 2);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

class RunOfSafeStrategy : public testing::TestWithParam<StrategyName> {};
INSTANTIATE_TEST_SUITE_P(Stores, RunOfSafeStrategy,
                         testing::ValuesIn(kStrategies.begin() + 1, kStrategies.end()),
                         [](const auto& entry) { return std::string(entry.param.name); });

TEST_P(RunOfSafeStrategy, InsertsExactlyTheKeysAskedFor) {
  const LoadOptions options = {
      .strategy = GetParam().strategy, .threads = 4, .inserts = 1'001, .read_share = 0.5};
  RunRecord record(options.threads);
  EXPECT_EQ(run_in_child(options, record), 0);
  EXPECT_EQ(record.inserts(), 1'001U);
  EXPECT_GT(record.operations(), 1'001U);
  EXPECT_GT(record.totals().resizes, 0U);
  EXPECT_GT(record.totals().allocated_bytes, 0U);
  EXPECT_GT(record.totals().end_ns, record.totals().start_ns);
}

TEST(Run, LapsStartOverUntilTimeIsUp) {
  const LoadOptions options = {
      .strategy = Strategy::kMutex, .threads = 3, .seconds = 0.3, .keys = 50};
  RunRecord record(options.threads);
  EXPECT_EQ(run_in_child(options, record), 0);
  EXPECT_GT(record.inserts(), 100U);
  EXPECT_GE(record.totals().end_ns - record.totals().start_ns, 300'000'000U);
}

TEST(Run, ChurnGrowsAtTheSameSize) {
  const LoadOptions options = {.workload = Workload::kChurn, .inserts = 100'000, .keys = 1'600};
  RunRecord record(options.threads);
  EXPECT_EQ(run_in_child(options, record), 0);
  EXPECT_EQ(record.inserts(), 100'000U);
  EXPECT_EQ(record.operations(), 100'000U + 98'400U);
  EXPECT_GT(record.totals().resizes, 9U);  // nine doublings lead to 2048 slots
}

TEST(Run, TinyMapsGrowOnceOrTwiceEach) {
  const LoadOptions options = {.workload = Workload::kTiny, .inserts = 23'000};
  RunRecord record(options.threads);
  EXPECT_EQ(run_in_child(options, record), 0);
  EXPECT_EQ(record.inserts(), 23'000U);
  EXPECT_EQ(record.totals().resizes, 3'000U);
}

TEST(Run, UnsynchronisedThreadsDieOfConcurrentMapWrites) {
  const LoadOptions options = {.threads = 4, .seconds = 60, .keys = 1'000'000};
  for (int attempt = 0; attempt < 20; ++attempt) {
    RunRecord record(options.threads);
    const int status = run_in_child(options, record);
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 2);
    EXPECT_STREQ(record.totals().message.data(), "concurrent map writes");
    EXPECT_GT(record.totals().end_ns, record.totals().start_ns);
  }
}

}  // namespace
}  // namespace mapscope
