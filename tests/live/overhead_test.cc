// SPDX-License-Identifier: Apache-2.0
// Probes that cost a target more than they may come off; what the mode adds has an end.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

uint64_t steps(const LiveAgent& agent, const std::string& step) {
  return agent.metric("mapscope_overhead_budget_reached_total", {"step=\"" + step + "\""});
}

bool says(LiveAgent& agent, const std::string& text) {
  return agent.process().err().text().find(text) != std::string::npos;
}

TEST(OverheadBudget, StormOfResizesIsPaused) {
  LiveTarget target({"--workload", "tiny", "--seconds", "600"});
  LiveAgent agent(target, {"--events", "none", "--overhead-budget", "1%"});
  target.begin();
  ASSERT_TRUE(poll_until([&] { return steps(agent, "pause") == 1; }));
  EXPECT_EQ(agent.metric("mapscope_probes", {"state=\"attached\""}), 0U);
  EXPECT_TRUE(says(agent, "more than --overhead-budget: not watched for a while"));
  EXPECT_GT(agent.metric("mapscope_probe_hits_total"), 0U);
  EXPECT_NE(agent.get("/metrics").body.find("\nmapscope_target_overhead_seconds_total{"),
            std::string::npos);
  EXPECT_TRUE(target.process().running());
}

TEST(OverheadBudget, DearModeIsLeftAndGrowthsStayWatched) {
  LiveTarget target({"--seconds", "600"});
  LiveAgent agent(target, {"--events", "none", "--mode", "inserts", "--overhead-budget", "5%"});
  target.begin();
  ASSERT_TRUE(poll_until([&] { return steps(agent, "mode") == 1; }));
  EXPECT_EQ(steps(agent, "pause"), 0U);
  const uint64_t inserts = agent.metric("mapscope_inserts_total");
  const uint64_t resizes = agent.metric("mapscope_resizes_total");
  ASSERT_TRUE(poll_until([&] { return agent.metric("mapscope_resizes_total") > resizes; }));
  EXPECT_EQ(agent.metric("mapscope_inserts_total"), inserts);
}

TEST(OverheadBudget, WithoutOneEverythingStaysOn) {
  LiveTarget target({"--workload", "tiny", "--seconds", "1"});
  LiveTarget idle({"--inserts", "1"});
  LiveAgent agent(target,
                  {"--events", "none", "--overhead-budget", "none", "--pid", idle.pid_text()});
  ASSERT_EQ(target.run(), 0);
  ASSERT_TRUE(
      poll_until([&] { return agent.metric("mapscope_targets", {"state=\"attached\""}) == 1; }));
  EXPECT_EQ(agent.metric("mapscope_overhead_budget_reached_total"), 0U);
  // At full speed some may be lost on a busy machine; one that no probe saw is not even lost.
  EXPECT_EQ(agent.metric("mapscope_resizes_total") +
                agent.metric("mapscope_records_lost_total", {"reason=\"ring_full_resize\""}) +
                agent.metric("mapscope_records_lost_total", {"reason=\"queue_full_resize\""}),
            target.truth().growths.size());
}

TEST(ModeSeconds, BackToResizesWhenTheyAreOver) {
  LiveTarget target({"--seconds", "600"});
  LiveAgent agent(target, {"--events", "none", "--mode", "inserts", "--mode-seconds", "0.5"});
  target.begin();
  ASSERT_TRUE(poll_until([&] { return says(agent, "back to --mode resizes"); }));
  const uint64_t inserts = agent.metric("mapscope_inserts_total");
  const uint64_t resizes = agent.metric("mapscope_resizes_total");
  ASSERT_TRUE(poll_until([&] { return agent.metric("mapscope_resizes_total") > resizes; }));
  EXPECT_EQ(agent.metric("mapscope_inserts_total"), inserts);
}

}  // namespace
}  // namespace mapscope::test
