// SPDX-License-Identifier: Apache-2.0
// --mode races finds two goroutines inside writes of one map before the runtime ends the program,
// and accuses nobody who locks.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/go_fixture.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"

namespace mapscope::test {
namespace {

constexpr int kRuns = 3;

class GoRaces : public testing::TestWithParam<GoFixture> {
 protected:
  void SetUp() override { ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures; }
};

// Where one of the two goroutines inserts.
void expect_writer(const nlohmann::json& writer) {
  EXPECT_GT(writer.at("goid"), 0U);
  EXPECT_GT(writer.at("tid"), 0U);
  ASSERT_TRUE(writer.contains("site")) << writer;
  EXPECT_TRUE(writer.at("site").at("file").get<std::string>().starts_with("fixtures/race/"))
      << writer;
  EXPECT_FALSE(writer.at("stack").empty());
}

TEST_P(GoRaces, AreFoundBeforeTheFatal) {
  int others = 0;
  for (int run = 0; run < kRuns;) {
    WaitingProgram target({GetParam().program("race"), "--wait", "--seconds", "5"});
    LiveAgent agent({"--mode", "races", "--pid", target.pid_text()});
    target.begin();
    EXPECT_NE(target.process().wait(), 0) << target.process().err().text();
    ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
    // A broken map may end the program in other words, or hold it, before the runtime's check does.
    if (target.process().err().text().find("concurrent map") == std::string::npos) {
      ASSERT_LT(++others, 10) << target.process().err().text();
      continue;
    }
    ++run;
    const auto races = agent.events("race");
    const auto fatals = agent.events("fatal");
    ASSERT_FALSE(races.empty()) << "run " << run;
    ASSERT_FALSE(fatals.empty());
    EXPECT_EQ(agent.summary().at("targets").front().at("races"), races.size());
    const nlohmann::json& race = races.front();
    EXPECT_LT(race.at("second").at("begin_ns"), fatals.front().at("time_ns"));
    EXPECT_EQ(race.at("map").at("type"), "map[int]int");
    EXPECT_NE(race.at("first").at("goid"), race.at("second").at("goid"));
    expect_writer(race.at("first"));
    expect_writer(race.at("second"));
  }
}

TEST_P(GoRaces, AreNotSeenUnderAMutex) {
  WaitingProgram target({GetParam().program("race"), "--wait", "--mutex"});
  LiveAgent agent({"--mode", "races", "--pid", target.pid_text()});
  target.begin();
  EXPECT_EQ(target.process().wait(), 0) << target.process().err().text();
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_TRUE(agent.events("race").empty());
  EXPECT_TRUE(agent.events("fatal").empty());
}

// Half of the goroutines write keys that cannot be hashed: each write panics under the mutex and is
// recovered.
TEST_P(GoRaces, AreNotSeenWhereAWritePanicked) {
  WaitingProgram target({GetParam().program("race"), "--wait", "--mutex", "--kind", "panic"});
  LiveAgent agent({"--mode", "races", "--pid", target.pid_text()});
  target.begin();
  EXPECT_EQ(target.process().wait(), 0) << target.process().err().text();
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_NE(target.process().out().text().find("panics=32000\nok inserts=32000\n"),
            std::string::npos)
      << target.process().out().text();
  EXPECT_TRUE(agent.events("race").empty()) << nlohmann::json(agent.events("race"));
  // Nor does a panic leave a growth open.
  EXPECT_EQ(total(agent.lost_resizes()), 0U);
  EXPECT_FALSE(agent.events("resize").empty());
}

INSTANTIATE_TEST_SUITE_P(Live, GoRaces, testing::ValuesIn(plain_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });

}  // namespace
}  // namespace mapscope::test
