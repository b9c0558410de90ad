// SPDX-License-Identifier: Apache-2.0
// All splits of one level of a swiss map are also told as what they are together: the map doubles.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/go_fixture.h"
#include "tests/support/go_growth.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

constexpr uint64_t kTableSlots = 1024;

std::vector<GoFixture> swiss_fixtures() {
  std::vector<GoFixture> swiss;
  for (const GoFixture& fixture : plain_fixtures()) {
    if (fixture.version.empty() || !fixture.has_classic_maps()) swiss.push_back(fixture);
  }
  return swiss;
}

// What the splits of the program's own truth add up to, in the order in which they are complete.
std::vector<json> doublings_of(const GoTruth& truth) {
  std::vector<json> doublings;
  std::map<std::pair<std::string, uint32_t>, std::vector<json>> levels;
  for (const json& growth : truth.finished) {
    if (growth.at("kind") != "split") continue;
    const uint32_t level = growth.at("level");
    std::vector<json>& splits = levels[{growth.at("map"), level}];
    splits.push_back(growth);
    if (splits.size() != uint64_t{1} << level) continue;
    doublings.push_back({{"map", growth.at("map")},
                         {"type", growth.at("type")},
                         {"old_slots", kTableSlots << level},
                         {"new_slots", kTableSlots << (level + 1)},
                         {"splits", splits.size()},
                         {"first", splits.front()},
                         {"last", splits.back()}});
  }
  return doublings;
}

void expect_same(const json& event, const json& truth) {
  EXPECT_EQ(event.at("map"), (json{{"addr", truth.at("map")}, {"type", truth.at("type")}}));
  for (const char* fact : {"old_slots", "new_slots", "splits"})
    EXPECT_EQ(event.at(fact), truth.at(fact)) << fact << event;
  EXPECT_GE(event.at("begin_ns"), truth.at("first").at("begin_ns"));
  EXPECT_LE(event.at("begin_ns"), truth.at("first").at("begin_by_ns"));
  EXPECT_GE(event.at("end_ns"), truth.at("last").at("begin_ns"));
  EXPECT_LE(event.at("end_ns"), truth.at("last").at("end_ns"));
  EXPECT_GT(event.at("stall_ns"), 0U);
}

class GoDoublings : public testing::TestWithParam<GoFixture> {};

TEST_P(GoDoublings, AreWhatTheSplitsAddUpTo) {
  ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures;
  LiveTarget target({"--load", "ints", "--entries", "60000", "--goroutines", "2"}, {},
                    GetParam().program("grow"));
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0) << target.process().err().text();
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const auto truth = doublings_of(read_go_truth(target.truth_path()));
  // Two maps of 64 tables or so: levels 0 to 4 are complete for sure.
  ASSERT_GE(truth.size(), 10U);
  std::vector<json> events = agent.events("doubling");
  ASSERT_EQ(events.size(), truth.size());
  for (const json& expected : truth) {
    const auto found = std::find_if(events.begin(), events.end(), [&](const json& event) {
      return event.at("map").at("addr") == expected.at("map") &&
             event.at("splits") == expected.at("splits");
    });
    ASSERT_NE(found, events.end()) << expected;
    expect_same(*found, expected);
  }
  EXPECT_EQ(agent.summary().at("lost"), json::object());
}

INSTANTIATE_TEST_SUITE_P(Live, GoDoublings, testing::ValuesIn(swiss_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });

}  // namespace
}  // namespace mapscope::test
