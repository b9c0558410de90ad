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

namespace mapscope::test {
namespace {

class GoInserts : public testing::TestWithParam<GoFixture> {};

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

INSTANTIATE_TEST_SUITE_P(Live, GoInserts, testing::ValuesIn(plain_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });

}  // namespace
}  // namespace mapscope::test
