// SPDX-License-Identifier: Apache-2.0
// Labels of containers: on every series of a process in one, on no other.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/export/event_json.h"
#include "agent/export/metric_families.h"
#include "agent/export/metric_table.h"
#include "agent/export/web_pages.h"
#include "tests/support/metric_series.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

constexpr uint64_t kMinuteNs = 60'000'000'000;
constexpr const char* kPod = "1a2b3c4d-5e6f-4a1b-8c2d-9e0f1a2b3c4d";

std::atomic<uint64_t> fake_now_ns{1};

const std::string& container_of(char digit) {
  static std::map<char, std::string> ids;
  return ids.try_emplace(digit, 64, digit).first->second;
}

bool has_process(const FamilySpec& spec) { return spec.labels[0] == "process"; }

// Everything that is counted for a process, once.
void fill(MetricTable& table, Sample& sample) {
  sample.resize.goroutine = sample_goroutine();
  table.add(sample.resize);
  table.add(sample.fatal);
  table.add(sample.race);
  table.add(sample.doubling);
  for (const char* kind : {"promotion", "rebuild", "expansion"}) {
    sample.resize.kind = kind;
    sample.resize.misses = 1;
    table.add(sample.resize);
  }
  table.set_targets({sample.target});
  table.set_self_stats([target = sample.target] {
    SelfStats stats;
    stats.insert_times = {
        {"store", "go_swiss", "", true, {1}, 1, target.container_id, target.pod_uid}};
    stats.pending = stats.headrooms =
        stats.inserts = {{"store", "go_swiss", "", 1, target.container_id, target.pod_uid}};
    stats.overheads =
        stats.reliefs = {{"store", "go_swiss", "mode", 1, target.container_id, target.pod_uid}};
    return stats;
  });
}

TEST(ContainerLabels, AreOnEverySeriesOfAProcessInOne) {
  MetricTable table;
  Sample sample;
  sample.target.container_id = container_of('a');
  sample.target.pod_uid = kPod;
  fill(table, sample);
  for (const FamilySpec& spec : kFamilies) {
    if (!has_process(spec)) continue;
    EXPECT_TRUE(
        find_series(table, spec.id, {{"container_id", container_of('a')}, {"pod_uid", kPod}}))
        << spec.name;
  }
}

TEST(ContainerLabels, AreAbsentElsewhere) {
  MetricTable table;
  Sample sample;
  fill(table, sample);
  EXPECT_EQ(table.text().find("container_id"), std::string::npos);
  EXPECT_EQ(table.text().find("pod_uid"), std::string::npos);
}

TEST(ContainerLabels, TellProcessesOfOneNameApart) {
  MetricTable table;
  Sample sample;
  table.add(sample.resize);
  sample.target.container_id = container_of('a');
  table.add(sample.resize);
  sample.target.container_id = container_of('b');
  table.add(sample.resize);
  table.add(sample.resize);
  EXPECT_EQ(series_count(table, Family::kResizes), 3U);
  EXPECT_EQ(counter(table, Family::kResizes, {{"container_id", container_of('b')}}), 2);
}

TEST(ContainerLabels, SeriesOfADeadContainerExpiresBesideALivingOne) {
  MetricTable table(
      {.expire_after_ns = 5 * kMinuteNs, .now_ns = [] { return fake_now_ns.load(); }});
  fake_now_ns = kMinuteNs;
  Sample dead;
  Sample alive;
  dead.target.container_id = container_of('d');
  alive.target.container_id = container_of('e');
  table.set_targets({dead.target, alive.target});
  table.add(dead.resize);
  table.add(alive.resize);
  table.set_targets({alive.target});
  fake_now_ns += 6 * kMinuteNs;
  EXPECT_EQ(series_count(table, Family::kResizes), 1U);
  EXPECT_EQ(counter(table, Family::kResizes, {{"container_id", container_of('e')}}), 1);
}

TEST(ContainerLabels, OverflowIsOneSeriesForAll) {
  MetricTable table({.max_series = 2});
  Sample sample;
  for (const char digit : std::string("abcdef")) {
    sample.target.container_id = container_of(digit);
    table.add(sample.resize);
  }
  EXPECT_EQ(series_count(table, Family::kResizes), 3U);
  const auto other = find_series(table, Family::kResizes, {{"process", "other"}});
  ASSERT_TRUE(other);
  EXPECT_EQ(other->counter.value, 4);
  EXPECT_FALSE(labels_of(*other).contains("container_id"));
}

TEST(ContainerLabels, TargetInfoJoinsByPodAndNamesTheLanguage) {
  MetricTable table;
  Sample sample;
  sample.target.pod_uid = kPod;
  table.set_targets({sample.target});
  EXPECT_EQ(gauge(table, Family::kTargetInfo, {{"pod_uid", kPod}, {"language", ""}}), 1);
}

TEST(ContainerLabels, AreInEveryEventOfAProcess) {
  Sample sample;
  sample.target.container_id = container_of('a');
  sample.target.pod_uid = kPod;
  std::string resize;
  std::string target;
  append_resize_json(resize, sample.resize, "t");
  append_target_json(target, sample.target, "t");
  for (const std::string& line : {resize, target}) {
    const auto event = nlohmann::json::parse(line);
    EXPECT_EQ(event.at("container_id"), container_of('a'));
    EXPECT_EQ(event.at("pod_uid"), kPod);
  }
}

TEST(ContainerLabels, HostileOnesStayInTheirString) {
  Sample sample;
  for (const std::string& name :
       {std::string("quo\"te\nline"), std::string("\xff\xfe"), std::string(4096, '"')}) {
    sample.target.container_id = sample.target.pod_uid = name;
    sample.target.comm = sample.target.exe = name;
    std::string line;
    append_target_json(line, sample.target, "t");
    EXPECT_TRUE(nlohmann::json::parse(line).contains("container_id"));
    EXPECT_EQ(line.find('\n'), std::string::npos);
    LandingPage content;
    content.targets = {sample.target};
    content.telemetry_path = "/metrics";
    const std::string page = landing_page(content);
    EXPECT_EQ(page.find("quo\"te"), std::string::npos);
    EXPECT_EQ(page.find('\xff'), std::string::npos);
  }
}

}  // namespace
}  // namespace mapscope
