// SPDX-License-Identifier: Apache-2.0
// --mode inserts counts every insert of a Go program by map type, and times it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/go_fixture.h"
#include "tests/support/go_growth.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/selection.h"

namespace mapscope::test {
namespace {

class GoInserts : public testing::TestWithParam<GoFixture> {};
class GoInsertsInTurn : public GoInserts {};

TEST_P(GoInserts, AreCountedByTypeAndTimed) {
  ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures;
  LiveTarget target({"--hold", "--load", "structs", "--goroutines", "3"}, {},
                    GetParam().program("grow"));
  LiveAgent agent(target, {"--mode", "inserts"});
  target.begin();
  ASSERT_TRUE(poll_until([&] { return target.process().out().text().ends_with("done\n"); }));
  const GoTruth truth = read_go_truth(target.truth_path());
  for (const auto& [type, counts] : truth.totals.at("counts").items()) {
    const std::string label = "map_type=\"" + type + "\"";
    EXPECT_EQ(agent.metric("mapscope_inserts_total", {label}), counts.at("inserts")) << type;
    const uint64_t during =
        agent.metric("mapscope_insert_duration_seconds_count", {label, "during=\"resize\""});
    const uint64_t steady =
        agent.metric("mapscope_insert_duration_seconds_count", {label, "during=\"steady\""});
    EXPECT_EQ(during + steady, counts.at("inserts")) << type;
    EXPECT_GT(during, 0U) << type;
    EXPECT_GT(steady, during) << type;
  }
  target.begin();
  EXPECT_EQ(target.process().wait(), 0);
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
}

// Inserts that the metrics of this process name have, of a type or of none.
uint64_t inserts_of(const LiveAgent& agent, bool typed) {
  const uint64_t all = agent.metric("mapscope_inserts_total", {"process=\"grow\""});
  const uint64_t untyped =
      agent.metric("mapscope_inserts_total", {"process=\"grow\"", "map_type=\"\""});
  return typed ? all - untyped : untyped;
}

void await_none(const LiveAgent& agent) {
  ASSERT_TRUE(
      poll_until([&] { return agent.metric("mapscope_targets", {"state=\"attached\""}) == 0; }));
}

// Each brings types of its own, which take room that is given back.
TEST_P(GoInsertsInTurn, KeepTheirTypes) {
  ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures;
  const std::string program = GetParam().program("grow");
  LiveAgent agent({"--mode", "inserts", "--exe", program, "--debug.max-insert-types", "32"});
  uint64_t inserts = 0;
  for (int i = 0; i < 20; ++i) {
    LiveTarget target({"--load", "structs", "--maps", "4"}, {}, program);
    ASSERT_TRUE(await_attached(agent, target.pid()));
    ASSERT_EQ(target.run(), 0);
    await_none(agent);
    const GoTruth truth = read_go_truth(target.truth_path());
    for (const auto& [type, counts] : truth.totals.at("counts").items())
      inserts += counts.at("inserts").get<uint64_t>();
  }
  // Go's own inserts at a program's start are not in the truth.
  EXPECT_GE(inserts_of(agent, true), inserts);
  EXPECT_EQ(inserts_of(agent, false), 0U);
  EXPECT_EQ(interrupt(agent), 0) << agent.process().err().text();
  EXPECT_FALSE(agent.summary().at("lost").contains("type_table_full"));
}

// A fault as those of tests/faults: the table of map types is full.
TEST_P(GoInserts, OfTypesThatFindNoRoomAreCountedWithoutType) {
  ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures;
  LiveTarget target({"--hold", "--load", "structs", "--goroutines", "3"}, {},
                    GetParam().program("grow"));
  LiveAgent agent(target, {"--mode", "inserts", "--debug.max-insert-types", "1"});
  target.begin();
  ASSERT_TRUE(poll_until([&] { return target.process().out().text().ends_with("done\n"); }));
  uint64_t inserts = 0;
  const GoTruth truth = read_go_truth(target.truth_path());
  for (const auto& [type, counts] : truth.totals.at("counts").items())
    inserts += counts.at("inserts").get<uint64_t>();
  EXPECT_GE(inserts_of(agent, true) + inserts_of(agent, false), inserts);
  EXPECT_GT(inserts_of(agent, false), 0U);
  EXPECT_EQ(agent.metric("mapscope_records_lost_total", {"reason=\"type_table_full\""}),
            inserts_of(agent, false));
  target.begin();
  EXPECT_EQ(target.process().wait(), 0);
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_NE(agent.process().err().text().find("more map types are inserted into"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Live, GoInserts, testing::ValuesIn(plain_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });
INSTANTIATE_TEST_SUITE_P(Live, GoInsertsInTurn, testing::ValuesIn(oldest_and_newest()),
                         [](const auto& test) { return test.param.test_name(); });

}  // namespace
}  // namespace mapscope::test
