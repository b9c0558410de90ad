// SPDX-License-Identifier: Apache-2.0
// What a sync.Map goes through, told one to one: promotions with the misses that led to them and
// rebuilds until 1.23, expansions of its trie since 1.24.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/go_fixture.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

// NOLINTNEXTLINE(bugprone-exception-escape): of an empty json value none comes
struct SyncMapTruth {
  std::vector<json> events;
  json totals;
};

SyncMapTruth read_sync_map_truth(const std::string& path) {
  SyncMapTruth truth;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    json object = json::parse(line);
    (object.contains("kind") ? truth.events.emplace_back() : truth.totals) = std::move(object);
  }
  return truth;
}

std::vector<json> events_of_map(LiveAgent& agent, const json& address) {
  std::vector<json> chosen;
  for (const json& event : agent.events("resize")) {
    if (event.at("runtime") == "sync_map" && event.at("map").at("addr") == address)
      chosen.push_back(event);
  }
  return chosen;
}

void expect_same(const json& event, const json& truth) {
  EXPECT_EQ(event.at("kind"), truth.at("kind"));
  for (const char* fact : {"entries", "misses"}) {
    ASSERT_EQ(event.contains(fact), truth.contains(fact)) << event << truth;
    EXPECT_EQ(event.value(fact, 0), truth.value(fact, 0)) << event << truth;
  }
  EXPECT_GE(event.at("begin_ns"), truth.at("begin_ns"));
  EXPECT_LE(event.at("begin_ns"), truth.at("end_ns"));
  EXPECT_EQ(event.at("goroutine").at("id"), truth.at("goid"));
  EXPECT_EQ(event.at("map").at("type"), "sync.Map");
  const std::string caller = event.at("site").at("function");
  EXPECT_TRUE(caller.starts_with("main.(*driver).")) << caller;
  EXPECT_TRUE(event.at("site").at("file").get<std::string>().ends_with("syncmap/main.go"));
}

// In a program with a profile the steps may be in other functions.
std::vector<GoFixture> chosen_fixtures() {
  std::vector<GoFixture> chosen;
  for (const GoFixture& fixture : go_fixtures()) {
    const bool wanted = fixture.build == "plain" || fixture.build == "pgo";
    if (wanted || fixture.build == "noswissmap" || fixture.version.empty())
      chosen.push_back(fixture);
  }
  return chosen;
}

class GoSyncMap : public testing::TestWithParam<GoFixture> {};

TEST_P(GoSyncMap, IsToldAsItTellsItself) {
  ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures;
  LiveTarget target({"--rounds", "6", "--keys", "500"}, {}, GetParam().program("syncmap"));
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0) << target.process().out().text();
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const SyncMapTruth truth = read_sync_map_truth(target.truth_path());
  ASSERT_FALSE(truth.events.empty());
  const auto events = events_of_map(agent, truth.totals.at("map"));
  ASSERT_EQ(events.size(), truth.events.size());
  uint64_t misses = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    expect_same(events[i], truth.events[i]);
    misses += truth.events[i].value("misses", uint64_t{0});
  }
  const json counts = agent.summary().at("targets").front();
  for (const char* kind : {"promotions", "rebuilds", "expansions"})
    EXPECT_EQ(counts.value(kind, 0), truth.totals.at(kind)) << kind;
  EXPECT_EQ(counts.value("misses", uint64_t{0}), misses);
  EXPECT_EQ(misses > 0, truth.totals.at("promotions") > 0);
  EXPECT_EQ(agent.summary().at("lost"), json::object());
}

INSTANTIATE_TEST_SUITE_P(Live, GoSyncMap, testing::ValuesIn(chosen_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });

}  // namespace
}  // namespace mapscope::test
