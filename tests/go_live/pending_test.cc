// SPDX-License-Identifier: Apache-2.0
// A growth that nothing goes on with is pending for as long as its program lives.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/go_fixture.h"
#include "tests/support/go_growth.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

std::vector<GoFixture> classic_fixtures() {
  std::vector<GoFixture> classic;
  for (const GoFixture& fixture : go_fixtures()) {
    const bool wanted = fixture.build == "plain" || fixture.build == "noswissmap";
    if (fixture.version.empty() || (wanted && fixture.has_classic_maps()))
      classic.push_back(fixture);
  }
  return classic;
}

class GoPending : public testing::TestWithParam<GoFixture> {
 protected:
  void SetUp() override { ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures; }
};

void await_done(LiveTarget& target) {
  target.begin();
  ASSERT_TRUE(poll_until([&] { return target.process().out().text().ends_with("done\n"); }));
}

uint64_t pending(const LiveAgent& agent) { return agent.metric("mapscope_pending_resizes"); }

TEST_P(GoPending, IsAGaugeWhileTheProgramLives) {
  LiveTarget idle({"--inserts", "1"});
  LiveTarget target({"--hold", "--load", "pending", "--goroutines", "3"}, {},
                    GetParam().program("grow"));
  LiveAgent agent({"--pid", target.pid_text(), "--pid", idle.pid_text()});
  EXPECT_EQ(pending(agent), 0U);
  await_done(target);
  const GoTruth truth = read_go_truth(target.truth_path());
  ASSERT_EQ(truth.pending.size(), 3U);
  EXPECT_EQ(pending(agent), 3U);
  target.begin();
  EXPECT_EQ(target.process().wait(), 0);
  EXPECT_TRUE(poll_until([&] { return pending(agent) == 0; }));
  EXPECT_TRUE(poll_until([&] { return agent.metric("mapscope_resizes_expired_total") == 3; }));
  EXPECT_EQ(agent.metric("mapscope_resizes_total"), truth.finished.size());
  EXPECT_EQ(idle.run(), 0);
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
}

TEST_P(GoPending, EndsWhenTheMapIsCleared) {
  LiveTarget target({"--hold", "--load", "clear"}, {}, GetParam().program("grow"));
  LiveAgent agent(target);
  await_done(target);
  const GoTruth truth = read_go_truth(target.truth_path());
  EXPECT_TRUE(truth.pending.empty());
  EXPECT_EQ(pending(agent), 0U);
  target.begin();
  EXPECT_EQ(target.process().wait(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const auto events = agent.events("resize");
  const auto cleared = std::count_if(events.begin(), events.end(), [](const nlohmann::json& event) {
    return event.value("ended_by_clear", false);
  });
  const auto truly =
      std::count_if(truth.finished.begin(), truth.finished.end(),
                    [](const nlohmann::json& growth) { return growth.at("ended_by") == "clear"; });
  EXPECT_EQ(cleared, truly);
  EXPECT_GT(truly, 0);
}

INSTANTIATE_TEST_SUITE_P(Live, GoPending, testing::ValuesIn(classic_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });

}  // namespace
}  // namespace mapscope::test
