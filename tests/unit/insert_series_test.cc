// SPDX-License-Identifier: Apache-2.0
#include "agent/export/insert_series.h"

#include <gtest/gtest.h>

#include "tests/support/metric_series.h"

namespace mapscope {
namespace {

SelfStats::InsertTimes times(std::string map_type, bool during_resize,
                             const std::array<uint64_t, 32>& log2_ns, uint64_t sum_ns) {
  return {"store", "go_swiss", std::move(map_type), during_resize, log2_ns, sum_ns};
}

// What BPF does with an insert of so many ns.
std::array<uint64_t, 32> one_of(uint64_t ns) {
  std::array<uint64_t, 32> log2_ns{};
  size_t bucket = 0;
  while (bucket + 1 < log2_ns.size() && ns >> (bucket + 1) != 0) ++bucket;
  log2_ns[bucket] = 1;
  return log2_ns;
}

TEST(InsertSeries, EveryDurationIsWithinItsBounds) {
  for (uint32_t log2 = 0; log2 < 40; ++log2) {
    for (const uint64_t ns : {(uint64_t{1} << log2) - 1, uint64_t{1} << log2}) {
      InsertSeries series(10);
      series.add(times("", false, one_of(ns), ns));
      const InsertSeries::Counts& counts = series.all().begin()->second;
      for (size_t i = 0; i < counts.counts.size(); ++i) {
        if (counts.counts[i] == 0) continue;
        if (i < kInsertBoundsNs.size()) {
          EXPECT_LE(ns, kInsertBoundsNs[i]);
        }
        if (i > 0) {
          EXPECT_GT(ns, kInsertBoundsNs[i - 1]);
        }
      }
    }
  }
}

TEST(InsertSeries, EqualLabelsAreAddedUp) {
  InsertSeries series(10);
  series.add(times("map[int]int", true, one_of(5000), 5000));
  series.add(times("map[int]int", true, one_of(6000), 6000));
  series.add(times("map[int]int", false, one_of(200), 200));
  ASSERT_EQ(series.all().size(), 2U);
  const auto& during = series.all().at({"store", "go_swiss", "map[int]int", "resize"});
  EXPECT_EQ(during.sum, 11000U);
  EXPECT_EQ(during.counts[12 - kFirstInsertBucket], 2U);
  EXPECT_EQ(series.all().at({"store", "go_swiss", "map[int]int", "steady"}).sum, 200U);
}

TEST(InsertSeries, TypesBeyondTheCapAreAddedUp) {
  InsertSeries series(2);
  for (const char* type : {"a", "b", "c", "d"}) {
    for (const bool during : {false, true}) series.add(times(type, during, one_of(1000), 1000));
  }
  EXPECT_EQ(series.all().size(), 6U);
  EXPECT_EQ(series.all().at({"other", "other", "other", "resize"}).sum, 2000U);
  EXPECT_EQ(series.all().at({"other", "other", "other", "steady"}).sum, 2000U);
  EXPECT_EQ(series.all().at({"store", "go_swiss", "b", "resize"}).sum, 1000U);
}

TEST(InsertSeries, HostileTypesThatLookAlikeAreOne) {
  InsertSeries series(10);
  series.add(times("a\xff", false, one_of(1), 1));
  series.add(times("a\xfe", false, one_of(1), 1));
  EXPECT_EQ(series.all().size(), 1U);
}

TEST(InsertSeries, IsAHistogramInSeconds) {
  MetricTable table;
  table.set_self_stats([] {
    SelfStats stats;
    std::array<uint64_t, 32> log2_ns{};
    log2_ns[3] = 2;
    log2_ns[7] = 5;
    log2_ns[31] = 1;
    stats.insert_times = {times("map[int]int", true, log2_ns, 4'000'000'000)};
    return stats;
  });
  const auto series = find_series(table, Family::kInsertDuration,
                                  {{"process", "store"},
                                   {"runtime", "go_swiss"},
                                   {"map_type", "map[int]int"},
                                   {"during", "resize"}});
  ASSERT_TRUE(series);
  const auto& histogram = series->histogram;
  ASSERT_EQ(histogram.bucket.size(), 25U);
  EXPECT_DOUBLE_EQ(histogram.bucket[0].upper_bound, 127e-9);
  EXPECT_EQ(histogram.bucket[0].cumulative_count, 2U);
  EXPECT_DOUBLE_EQ(histogram.bucket[1].upper_bound, 255e-9);
  EXPECT_EQ(histogram.bucket[1].cumulative_count, 7U);
  EXPECT_DOUBLE_EQ(histogram.bucket[24].upper_bound, 2.147483647);
  EXPECT_EQ(histogram.bucket[24].cumulative_count, 7U);
  EXPECT_EQ(histogram.sample_count, 8U);
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 4);
}

}  // namespace
}  // namespace mapscope
