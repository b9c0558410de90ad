// SPDX-License-Identifier: Apache-2.0
#include "agent/export/metric_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "agent/export/metric_families.h"
#include "tests/support/metric_series.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

// A clock that the test moves. One test at a time runs in a process.
std::atomic<uint64_t> fake_now_ns{1};
constexpr uint64_t kMinuteNs = 60'000'000'000;

MetricOptions with_fake_clock(MetricOptions options = {}) {
  fake_now_ns = kMinuteNs;
  options.expire_after_ns = 5 * kMinuteNs;
  options.now_ns = [] { return fake_now_ns.load(); };
  return options;
}

TEST(MetricTable, ResizeIsCountedByKindAndTrigger) {
  MetricTable table;
  Sample sample;
  table.add(sample.resize);
  table.add(sample.resize);
  sample.resize.kind = "same_size";
  sample.resize.trigger = "overflow";
  table.add(sample.resize);
  const Labels store = {
      {"process", "store"}, {"runtime", "go_swiss"}, {"map_type", "map[string]*main.Session"}};
  Labels grow = store;
  grow.insert({{"kind", "grow"}, {"trigger", "load"}});
  Labels same = store;
  same.insert({{"kind", "same_size"}, {"trigger", "overflow"}});
  EXPECT_EQ(counter(table, Family::kResizes, grow), 2);
  EXPECT_EQ(counter(table, Family::kResizes, same), 1);
}

TEST(MetricTable, ValuesAreInBaseUnits) {
  MetricTable table;
  Sample sample;
  sample.resize.thread->state_ns = {1'000'000'000, 2'000'000'000, 0, 500'000'000};
  sample.resize.thread->major_faults = 2;
  sample.resize.blocked = Blocked{3, 1'500'000'000};
  table.add(sample.resize);
  EXPECT_EQ(counter(table, Family::kResizeSeconds, {{"state", "running"}}), 1);
  EXPECT_EQ(counter(table, Family::kResizeSeconds, {{"state", "runnable"}}), 2);
  EXPECT_EQ(counter(table, Family::kResizeSeconds, {{"state", "sleeping"}}), 0);
  EXPECT_EQ(counter(table, Family::kResizeSeconds, {{"state", "uninterruptible"}}), 0.5);
  EXPECT_EQ(counter(table, Family::kResizePageFaults, {{"kind", "minor"}}), 7);
  EXPECT_EQ(counter(table, Family::kResizePageFaults, {{"kind", "major"}}), 2);
  EXPECT_EQ(counter(table, Family::kResizeBytes, {}), 26632);
  EXPECT_EQ(counter(table, Family::kBlockedThreads, {}), 3);
  EXPECT_EQ(counter(table, Family::kBlockedSeconds, {}), 1.5);
}

TEST(MetricTable, HistogramBoundsAreInclusiveAndCumulative) {
  MetricTable table;
  Sample sample;
  for (const uint64_t wall_ns : {1'000ULL, 1'001ULL, 10'000'000'000ULL, 10'000'000'001ULL}) {
    sample.resize.wall_ns = wall_ns;
    table.add(sample.resize);
  }
  const auto series = find_series(table, Family::kResizeDuration, {});
  ASSERT_TRUE(series);
  const ClientMetric::Histogram& histogram = series->histogram;
  ASSERT_EQ(histogram.bucket.size(), kDurationBoundsNs.size());
  EXPECT_DOUBLE_EQ(histogram.bucket.front().upper_bound, 1e-6);
  EXPECT_EQ(histogram.bucket.front().cumulative_count, 1U);
  EXPECT_EQ(histogram.bucket[1].cumulative_count, 2U);
  EXPECT_DOUBLE_EQ(histogram.bucket.back().upper_bound, 10);
  EXPECT_EQ(histogram.bucket.back().cumulative_count, 3U);
  EXPECT_EQ(histogram.sample_count, 4U);
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 20.000002002);
}

TEST(MetricTable, LargestMapIsOfProcessesThatRun) {
  MetricTable table;
  Sample small;
  Sample large;
  large.target.id = 2;
  large.resize.new_bytes = 100 * *small.resize.new_bytes;
  const auto largest = [&] { return gauge(table, Family::kMapLargest, {{"process", "store"}}); };
  table.set_targets({small.target, large.target});
  table.add(large.resize);
  table.add(small.resize);
  EXPECT_EQ(series_count(table, Family::kMapLargest), 1U);
  EXPECT_EQ(largest(), 2'663'200);
  large.doubling.new_bytes = 5'000'000;
  table.add(large.doubling);
  EXPECT_EQ(largest(), 5'000'000);
  large.target.state = TargetState::kGone;
  table.set_targets({small.target, large.target});
  EXPECT_EQ(largest(), 26'632);
  table.set_targets({});
  EXPECT_EQ(series_count(table, Family::kMapLargest), 0U);
}

TEST(MetricTable, GaugesOfExtremesAreNotAddedUp) {
  MetricTable table(MetricOptions{.max_series = 2, .max_types = 3});
  Sample sample;
  std::vector<Target> targets;
  for (uint32_t id = 1; id <= 20; ++id) {
    sample.target.id = id;
    sample.target.comm = id <= 15 ? "store" : "other" + std::to_string(id);
    targets.push_back(sample.target);
    sample.resize.new_bytes = id;
    table.add(sample.resize);
  }
  table.set_targets(targets);
  table.set_self_stats([] {
    SelfStats stats;
    stats.headrooms = {{"a", "r", "", 7},
                       {"a", "r", "", 5},
                       {"b", "r", "", 9},
                       {"c", "r", "", 4},
                       {"d", "r", "", 3}};
    return stats;
  });
  EXPECT_EQ(gauge(table, Family::kMemoryHeadroom, {{"process", "a"}}), 5);
  EXPECT_EQ(gauge(table, Family::kMemoryHeadroom, {{"process", "other"}}), 3);
  EXPECT_EQ(gauge(table, Family::kMapLargest, {{"process", "store"}}), 15);
  EXPECT_EQ(gauge(table, Family::kMapLargest, {{"process", "other"}}), 20);
  EXPECT_EQ(series_count(table, Family::kMapLargest), 3U);
}

TEST(MetricTable, UnknownValuesHaveNoSeries) {
  MetricTable table;
  Sample sample;
  sample.resize.wall_ns.reset();
  sample.resize.stall_ns.reset();
  sample.resize.entries.reset();
  sample.resize.new_bytes.reset();
  sample.resize.thread.reset();
  sample.resize.blocked.reset();
  table.add(sample.resize);
  EXPECT_EQ(series_count(table, Family::kResizes), 1U);
  for (const Family family :
       {Family::kResizeDuration, Family::kResizeStall, Family::kResizeEntries, Family::kResizeBytes,
        Family::kResizeSeconds, Family::kResizePageFaults, Family::kBlockedThreads}) {
    EXPECT_EQ(series_count(table, family), 0U) << spec_of(family).name;
  }
}

TEST(MetricTable, ProcessesOfOneNameAreAddedUp) {
  MetricTable table;
  Sample first;
  Sample second;
  second.target.id = 2;
  second.target.pid = 5;
  table.add(first.resize);
  table.add(second.resize);
  EXPECT_EQ(series_count(table, Family::kResizes), 1U);
  EXPECT_EQ(counter(table, Family::kResizes, {}), 2);
}

TEST(MetricTable, SeriesBeyondTheCapOverflow) {
  MetricTable table({.max_series = 10});
  Sample sample;
  for (int i = 0; i < 25; ++i) {
    const std::string type = "map" + std::to_string(i);
    sample.resize.map_type = type;
    table.add(sample.resize);
  }
  EXPECT_EQ(series_count(table, Family::kResizes), 11U);
  EXPECT_EQ(series_count(table, Family::kResizeDuration), 11U);
  EXPECT_EQ(counter(table, Family::kResizes,
                    {{"process", "other"}, {"runtime", "other"}, {"map_type", "other"}}),
            15);
}

TEST(MetricTable, OneProcessDoesNotTakeTheRoomOfAll) {
  MetricTable table(with_fake_clock({.max_series = 100, .max_types = 10}));
  Sample greedy;
  greedy.target.comm = "greedy";
  Sample modest;
  modest.target.id = 2;
  modest.target.comm = "modest";
  const auto add_types = [&] {
    for (int i = 0; i < 25; ++i) {
      const std::string type = "map" + std::to_string(i);
      greedy.resize.map_type = type;
      table.add(greedy.resize);
    }
    table.add(modest.resize);
  };
  add_types();
  EXPECT_EQ(series_count(table, Family::kResizes), 12U);
  EXPECT_EQ(counter(table, Family::kResizes, {{"process", "greedy"}, {"map_type", "other"}}), 15);
  EXPECT_EQ(counter(table, Family::kResizes, {{"process", "modest"}}), 1);
  // What has expired has room again.
  fake_now_ns += 10 * kMinuteNs;
  (void)table.Collect();
  fake_now_ns += 10 * kMinuteNs;
  EXPECT_EQ(series_count(table, Family::kResizes), 0U);
  add_types();
  EXPECT_EQ(series_count(table, Family::kResizes), 12U);
  EXPECT_EQ(counter(table, Family::kResizes, {{"process", "greedy"}, {"map_type", "other"}}), 15);
}

TEST(MetricTable, FatalReasonsBeyondTheCapOverflow) {
  MetricTable table({.max_series = 2});
  Sample sample;
  for (int i = 0; i < 5; ++i) {
    const std::string message = "reason " + std::to_string(i);
    sample.fatal.message = message;
    table.add(sample.fatal);
  }
  EXPECT_EQ(series_count(table, Family::kMapFatals), 3U);
  EXPECT_EQ(counter(table, Family::kMapFatals, {{"reason", "other"}}), 3);
}

TEST(MetricTable, SeriesOfDeadProcessExpires) {
  MetricTable table(with_fake_clock());
  Sample sample;
  table.set_targets({sample.target});
  table.add(sample.resize);
  table.add(sample.fatal);
  table.set_targets({});
  fake_now_ns += 4 * kMinuteNs;
  EXPECT_EQ(series_count(table, Family::kResizes), 1U);
  fake_now_ns += 2 * kMinuteNs;
  EXPECT_EQ(series_count(table, Family::kResizes), 0U);
  EXPECT_EQ(series_count(table, Family::kMapFatals), 0U);
}

TEST(MetricTable, SeriesOfLiveProcessStays) {
  MetricTable table(with_fake_clock());
  Sample sample;
  table.set_targets({sample.target});
  table.add(sample.resize);
  for (int i = 0; i < 3; ++i) {
    fake_now_ns += 10 * kMinuteNs;
    EXPECT_EQ(series_count(table, Family::kResizes), 1U);
  }
}

TEST(MetricTable, ChangedSeriesOfDeadProcessStays) {
  MetricTable table(with_fake_clock());
  Sample sample;
  for (int i = 1; i <= 3; ++i) {
    table.add(sample.resize);
    fake_now_ns += 4 * kMinuteNs;
    EXPECT_EQ(counter(table, Family::kResizes, {}), i);
  }
}

TEST(MetricTable, GoneTargetDoesNotKeepItsSeries) {
  MetricTable table(with_fake_clock());
  Sample sample;
  sample.target.state = TargetState::kGone;
  table.set_targets({sample.target});
  table.add(sample.resize);
  EXPECT_EQ(series_count(table, Family::kResizes), 1U);
  fake_now_ns += 5 * kMinuteNs;
  EXPECT_EQ(series_count(table, Family::kResizes), 0U);
}

TEST(MetricTable, TargetsAreCountedByState) {
  MetricTable table;
  Sample sample;
  Target unsupported;
  unsupported.pid = 9;
  unsupported.state = TargetState::kUnsupported;
  unsupported.reason = "no known map";
  table.set_targets({sample.target, unsupported, unsupported});
  EXPECT_EQ(gauge(table, Family::kTargets, {{"runtime", "go_swiss"}, {"state", "attached"}}), 1);
  EXPECT_EQ(gauge(table, Family::kTargets, {{"state", "unsupported"}}), 2);
  EXPECT_EQ(gauge(table, Family::kUnsupportedTargets, {{"reason", "no known map"}}), 2);
  EXPECT_EQ(gauge(table, Family::kTargetInfo,
                  {{"pid", "4242"},
                   {"exe", "/usr/bin/store"},
                   {"build_id", "c0ffee"},
                   {"version", "go1.27.4"}}),
            1);
  EXPECT_EQ(series_count(table, Family::kTargetInfo), 1U);
}

TEST(MetricTable, SelfStatsAreAskedForEachScrape) {
  MetricTable table;
  uint64_t calls = 0;
  table.set_self_stats([&calls] {
    SelfStats stats;
    stats.probe_hits = ++calls;
    stats.ring_fill_ratio = 0.25;
    stats.lost = {{"ring_resize", 4}, {"superseded", 0}};
    stats.inserts = {{"store", "go_swiss", "", 10}, {"store", "go_swiss", "", 5}};
    return stats;
  });
  EXPECT_EQ(counter(table, Family::kProbeHits, {}), 1);
  EXPECT_EQ(counter(table, Family::kProbeHits, {}), 2);
  EXPECT_EQ(gauge(table, Family::kRingFillRatio, {}), 0.25);
  EXPECT_EQ(counter(table, Family::kRecordsLost, {{"reason", "ring_resize"}}), 4);
  EXPECT_EQ(counter(table, Family::kRecordsLost, {{"reason", "superseded"}}), 0);
  EXPECT_EQ(counter(table, Family::kInserts, {{"process", "store"}}), 15);
}

TEST(MetricTable, ProcessMetricsAreOfThisProcess) {
  const MetricTable table;
  EXPECT_GT(gauge(table, Family::kProcessResident, {}), 100'000);
  EXPECT_GT(gauge(table, Family::kProcessOpenFds, {}), 2);
  EXPECT_GE(counter(table, Family::kProcessCpu, {}), 0);
  const auto now = static_cast<double>(time(nullptr));
  EXPECT_GT(gauge(table, Family::kProcessStart, {}), now - 86400);
  EXPECT_LE(gauge(table, Family::kProcessStart, {}), now + 2);
}

// What must hold for any content: the list is the truth, and no label set occurs twice.
TEST(MetricTable, EveryFamilyKeepsToTheList) {
  MetricTable table;
  Sample sample;
  sample.target.container_id = "c";  // where these labels are unknown they are absent
  sample.target.pod_uid = "p";
  sample.resize.goroutine = sample_goroutine();
  table.add(sample.resize);
  table.add(sample.fatal);
  table.add(sample.race);
  table.add(sample.doubling);
  sample.resize.misses = 7;
  for (const char* kind : {"promotion", "rebuild", "expansion"}) {
    sample.resize.kind = kind;
    table.add(sample.resize);
  }
  Target unsupported;
  unsupported.state = TargetState::kUnsupported;
  unsupported.reason = "no known map";
  table.set_targets({sample.target, unsupported});
  table.set_self_stats([] {
    SelfStats stats;
    stats.insert_times = {{"store", "go_swiss", "", true, {1}, 1, "c", "p"}};
    stats.records = stats.lost = stats.probes = stats.attach_errors = {{"a", 1}, {"b", 2}};
    stats.pending = stats.headrooms = stats.inserts = {{"store", "go_swiss", "", 1, "c", "p"}};
    stats.overheads = stats.reliefs = {{"store", "go_swiss", "mode", 1, "c", "p"}};
    stats.probe_costs = {{"push", 1e-6}};
    stats.probe_hits = 1;
    stats.ring_fill_ratio = 0;
    stats.web_config_ok = true;
    stats.cri_errors = 1;
    stats.container_names = {{"c", "p", "shop", "cart", "store"}};
    return stats;
  });
  const auto families = table.Collect();
  EXPECT_EQ(families.size(), kFamilies.size());
  for (const FamilySpec& spec : kFamilies) {
    const MetricFamily* family = find_family(families, spec.id);
    ASSERT_NE(family, nullptr) << spec.name;
    EXPECT_EQ(family->help, spec.help);
    EXPECT_EQ(family->type, spec.type);
    std::set<Labels> seen;
    for (const ClientMetric& metric : family->metric) {
      ASSERT_EQ(metric.label.size(), spec.label_count()) << spec.name;
      for (size_t i = 0; i < metric.label.size(); ++i) {
        EXPECT_EQ(metric.label[i].name, spec.labels[i]);
      }
      EXPECT_TRUE(seen.insert(labels_of(metric)).second) << spec.name;
    }
  }
}

TEST(MetricTable, ConcurrentAddsAndScrapesLoseNothing) {
  MetricTable table({.max_series = 5});
  constexpr int kResizes = 20000;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    Sample sample;
    for (int i = 0; i < kResizes; ++i) {
      const std::string type = "map" + std::to_string(i % 8);
      sample.resize.map_type = type;
      table.add(sample.resize);
      if (i % 1000 == 0) table.set_targets({sample.target});
    }
    done = true;
  });
  std::thread second_scraper([&] {
    while (!done) EXPECT_FALSE(table.text().empty());
  });
  while (!done) EXPECT_LE(series_count(table, Family::kResizes), 6U);
  writer.join();
  second_scraper.join();
  const auto families = table.Collect();
  const MetricFamily* resizes = find_family(families, Family::kResizes);
  ASSERT_NE(resizes, nullptr);
  double sum = 0;
  for (const ClientMetric& metric : resizes->metric) sum += metric.counter.value;
  EXPECT_EQ(sum, kResizes);
}

}  // namespace
}  // namespace mapscope
