// SPDX-License-Identifier: Apache-2.0
// Every growth that a Go program finds in its own maps is one event of the agent, equal in every
// fact, for every version and way of building.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>

#include "tests/support/go_fixture.h"
#include "tests/support/go_growth.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"

namespace mapscope::test {
namespace {

using FixtureAndLoad = std::tuple<GoFixture, const char*>;

class GoGrowths : public testing::TestWithParam<FixtureAndLoad> {};

// What the agent sees of a load must be what the load has seen of itself.
TEST_P(GoGrowths, EqualTheTruth) {
  const auto& [fixture, load] = GetParam();
  ASSERT_FALSE(fixture.version.empty()) << kNoGoFixtures;
  LiveTarget target({"--load", load, "--maps", "300"}, {}, fixture.program("grow"));
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0) << target.process().err().text();
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const GoTruth truth = read_go_truth(target.truth_path());
  EXPECT_EQ(go_difference(truth, agent.events("resize")), "");
  EXPECT_TRUE(agent.lost_resizes().empty());
}

constexpr const char* kLoads[] = {
    "ints",     "int32",   "strings", "pointers",     "structs", "wide",    "generic", "small",
    "presized", "update8", "churn",   "churn-points", "clear",   "pending", "stack",   "big"};

INSTANTIATE_TEST_SUITE_P(Live, GoGrowths,
                         testing::Combine(testing::ValuesIn(go_fixtures()),
                                          testing::ValuesIn(kLoads)),
                         [](const auto& test) {
                           std::string name =
                               std::get<0>(test.param).test_name() + "_" + std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace mapscope::test
