// SPDX-License-Identifier: Apache-2.0
// Ctrl-C, SIGTERM and --seconds are obeyed within a second, whatever the agent is doing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

#include "agent/base/unique_fd.h"
#include "tests/paths.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/process_status.h"

namespace mapscope::test {
namespace {

using Clock = std::chrono::steady_clock;

std::chrono::milliseconds bound() {
  return std::chrono::milliseconds(in_slow_machine() ? 30000 : 2000);
}

SpawnOptions with_slow_symbols() {
  return {.before_exec = [] { ::setenv("LD_PRELOAD", MAPSCOPE_FIXTURE_SLOW_SYMBOLS, 1); }};
}

// One that is about to be a minute in its first stack.
class SlowSymbols : public testing::Test {
 protected:
  LiveTarget target_{{"--inserts", "1000000"}};
  LiveAgent agent_{{"--pid", target_.pid_text()}, with_slow_symbols()};

  void begin() {
    target_.begin();
    ASSERT_TRUE(poll_until([&] { return agent_.metric("mapscope_records_total") > 0; }));
  }
};

TEST_F(SlowSymbols, AreNotWaitedFor) {
  begin();
  const auto asked = Clock::now();
  agent_.process().signal(SIGINT);
  EXPECT_EQ(agent_.wait(), 0) << agent_.process().err().text();
  EXPECT_LT(Clock::now() - asked, bound());
  EXPECT_EQ(agent_.events().back().at("event"), "summary");
}

TEST_F(SlowSymbols, SecondSignalEndsItAtOnce) {
  begin();
  agent_.process().signal(SIGTERM);
  const auto asked = Clock::now();
  // Two of one kind that nobody took in between are one.
  ASSERT_TRUE(poll_until([&] {
    if (agent_.process().running()) agent_.process().signal(SIGINT);
    return !agent_.process().running();
  }));
  EXPECT_GT(agent_.wait(), 128);  // of the two, the one that was read first
  EXPECT_LT(Clock::now() - asked, std::chrono::milliseconds(in_slow_machine() ? 15000 : 700));
}

TEST(Stop, TimeIsOverDespiteSlowSymbols) {
  LiveTarget target({"--inserts", "1000000"});
  LiveAgent agent({"--pid", target.pid_text(), "--seconds", "2"}, with_slow_symbols());
  const auto begun = Clock::now();
  target.begin();
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(2) + bound());
}

// The command is ended, too, and ends in good order.
TEST(Stop, CommandIsEndedDespiteSlowSymbols) {
  LiveAgent agent({"--", target_path(), "--seconds", "600"}, with_slow_symbols());
  ASSERT_TRUE(poll_until([&] { return !agent.events("target").empty(); }));
  const int command = agent.events("target").front().at("pid");
  ASSERT_TRUE(poll_until([&] { return keeps_back(command, SIGTERM); }));
  const auto asked = Clock::now();
  agent.process().signal(SIGTERM);
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_LT(Clock::now() - asked, bound());
  EXPECT_NE(::kill(command, 0), 0);
}

// Whoever takes its output does not read: there is no summary to be had, and no waiting.
TEST(Stop, ReaderThatDoesNotReadIsNotWaitedFor) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  LiveTarget target({"--workload", "tiny", "--seconds", "600"});
  LiveAgent agent({"--pid", target.pid_text()},
                  {.before_exec = [&] { ::dup2(writing.get(), STDOUT_FILENO); }});
  target.begin();
  ASSERT_TRUE(poll_until([&] { return agent.metric("mapscope_records_total") > 10000; }));
  const auto asked = Clock::now();
  agent.process().signal(SIGTERM);
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_LT(Clock::now() - asked, bound());
}

// A target that lives on has finished nothing, and has not expired either.
TEST(Stop, GrowthUnderWayInALivingTargetHasNotExpired) {
  LiveTarget target({"--seconds", "3600", "--keys", "1000", "--sleep-in-grow", "300000"});
  target.begin();
  LiveAgent agent({"--pid", target.pid_text(), "--log.level", "info"});
  ASSERT_TRUE(poll_until([&] { return agent.metric("mapscope_pending_resizes") > 0; }));
  agent.process().signal(SIGINT);
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(agent.process().err().text().find("expired"), std::string::npos)
      << agent.process().err().text();
  EXPECT_TRUE(target.process().running());
}

}  // namespace
}  // namespace mapscope::test
