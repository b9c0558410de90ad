// SPDX-License-Identifier: Apache-2.0
// Targets and agents come, change and end; what is told stays true and nothing stays behind. What
// goes wrong meanwhile is in tests/faults.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "target/map/hash_map.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

std::vector<std::string> pids_of(std::initializer_list<const LiveTarget*> targets) {
  std::vector<std::string> arguments;
  for (const LiveTarget* target : targets) {
    arguments.insert(arguments.end(), {"--pid", target->pid_text()});
  }
  return arguments;
}

size_t count_targets(LiveAgent& agent, const std::string& state) {
  size_t count = 0;
  for (const nlohmann::json& event : agent.events("target")) count += event.at("state") == state;
  return count;
}

TEST(LifeCycle, TargetInTheMiddleOfAGrowthIsSeenFromTheNextOne) {
  // It sleeps in growths nearly all of its life, so that is where the agent meets it.
  LiveTarget target({"--seconds", "3600", "--keys", "1000", "--sleep-in-grow", "50000"});
  target.begin();
  LiveAgent agent(target);
  ASSERT_TRUE(poll_until([&] { return agent.growths().size() >= 5; }));
  target.process().signal(SIGINT);
  ASSERT_EQ(target.process().wait(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();

  const std::vector<Growth> truth = target.truth().growths;
  const std::vector<Growth> seen = agent.growths();
  ASSERT_LT(seen.size(), truth.size());
  const auto first = truth.end() - static_cast<ptrdiff_t>(seen.size());
  EXPECT_EQ(difference({first, truth.end()}, seen), "");
  EXPECT_EQ(agent.summary().at("lost").value("superseded", 0), 0);
}

TEST(LifeCycle, ThreeTargetsAtOnceAreToldApart) {
  LiveTarget small({"--inserts", "1000"});
  LiveTarget medium({"--inserts", "50000"});
  LiveTarget large({"--inserts", "400000", "--growth", "stop_the_world"});
  LiveAgent agent(pids_of({&small, &medium, &large}));
  for (LiveTarget* target : {&small, &medium, &large}) target->begin();
  for (LiveTarget* target : {&small, &medium, &large}) ASSERT_EQ(target->process().wait(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();

  for (const LiveTarget* target : {&small, &medium, &large}) {
    EXPECT_EQ(difference(target->truth().growths, agent.growths(target->pid())), "");
  }
  EXPECT_EQ(agent.summary().at("targets").size(), 3U);
}

TEST(LifeCycle, EndOfTheLastTargetEndsTheAgentWithASummary) {
  LiveTarget target({"--inserts", "100000"});
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0);
  EXPECT_EQ(agent.wait(), 0);
  const std::vector<nlohmann::json>& events = agent.events();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().at("event"), "summary");
  EXPECT_EQ(agent.summary().at("targets").at(0).at("resizes"), target.truth().growths.size());
  EXPECT_EQ(count_targets(agent, "gone"), 1U);
}

// This very program, which has the map linked in, grows one and becomes another on the next line.
SpawnOptions growing_first(uint64_t keys) {
  return {.before_exec = [keys] {
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') continue;
    HashMap map;
    for (uint64_t key = 0; key < keys; ++key) map.insert(key, key);
  }};
}

TEST(LifeCycle, TargetThatExecutesAnotherProgramIsWatchedAnew) {
  const TemporaryDirectory directory;
  ChildProcess process(
      {target_path(), "--wait", "--truth", directory / "truth", "--inserts", "1000"},
      growing_first(100));
  LiveAgent agent({"--pid", std::to_string(process.pid())});
  process.write_input("\n");
  ASSERT_TRUE(poll_until([&] { return count_targets(agent, "attached") == 2; }));
  process.write_input("\n");
  ASSERT_EQ(process.wait(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();

  const std::vector<nlohmann::json> targets = agent.events("target");
  ASSERT_EQ(targets.size(), 4U);
  EXPECT_EQ(targets[0].at("exe"), std::filesystem::read_symlink("/proc/self/exe").string());
  EXPECT_EQ(targets[1].at("state"), "gone");
  EXPECT_EQ(targets[2].at("exe"), std::filesystem::canonical(target_path()).string());
  EXPECT_EQ(targets[3].at("state"), "gone");
  std::vector<Growth> second;
  size_t of_first = 0;
  for (const nlohmann::json& event : agent.events("resize")) {
    if (event.at("exe") == targets[0].at("exe")) {
      ++of_first;
    } else {
      second.push_back(growth_of_event(event));
    }
  }
  EXPECT_EQ(of_first, 4U);  // at 8, 13, 26 and 52 entries
  EXPECT_EQ(difference(read_truth(directory / "truth").growths, second), "");
}

TEST(LifeCycle, TargetThatExecutesAProgramWithoutAMapIsGone) {
  ChildProcess process({"sh", "-c", "read line"}, growing_first(100));
  LiveAgent agent({"--pid", std::to_string(process.pid())});
  process.write_input("\n");
  EXPECT_TRUE(poll_until([&] { return count_targets(agent, "unsupported") == 1; }));
  EXPECT_EQ(count_targets(agent, "gone"), 1U);
  EXPECT_TRUE(process.running());
  process.write_input("\n");
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_EQ(agent.growths().size(), 4U);
}

TEST(LifeCycle, CommandIsSeenFromItsFirstGrowth) {
  const TemporaryDirectory directory;
  LiveAgent agent({"--", target_path(), "--truth", directory / "truth", "--inserts", "100000"},
                  LiveAgent::Until::kStarted);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const std::vector<Growth> seen = agent.growths();
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.front().old_slots, 8U);
  EXPECT_EQ(difference(read_truth(directory / "truth").growths, seen), "");
}

class EndingSignal : public testing::TestWithParam<int> {};

TEST_P(EndingSignal, EndsTheAgentWithASummary) {
  LiveTarget target({"--seconds", "3600", "--keys", "100000"});
  LiveAgent agent(target);
  target.begin();
  ASSERT_TRUE(poll_until([&] { return !agent.growths().empty(); }));
  const auto asked = std::chrono::steady_clock::now();
  agent.process().signal(GetParam());
  EXPECT_EQ(agent.wait(), 0);
  const auto took = std::chrono::steady_clock::now() - asked;
  EXPECT_LT(took, std::chrono::seconds(in_slow_machine() ? 60 : 2));
  EXPECT_EQ(agent.summary().at("targets").at(0).at("resizes"), agent.growths().size());
  EXPECT_TRUE(target.process().running());
}

INSTANTIATE_TEST_SUITE_P(Live, EndingSignal, testing::Values(SIGINT, SIGTERM),
                         [](const testing::TestParamInfo<int>& test) {
                           return std::string(test.param == SIGINT ? "Interrupt" : "Terminate");
                         });

TEST(LifeCycle, NewProcessWithThePidOfADeadTargetIsNotTakenForIt) {
  LiveTarget dead({"--inserts", "1000"});
  LiveTarget other({"--inserts", "1000"});
  LiveAgent agent(pids_of({&dead, &other}));
  // The agent itself learns nothing until the new process has come and gone.
  agent.process().signal(SIGSTOP);
  ASSERT_EQ(dead.run(), 0);
  LiveTarget reused({"--inserts", "50000"}, {.pid = dead.pid()});
  ASSERT_EQ(reused.pid(), dead.pid());
  ASSERT_EQ(reused.run(), 0);
  ASSERT_FALSE(reused.truth().growths.empty());
  agent.process().signal(SIGCONT);
  ASSERT_EQ(other.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_EQ(difference(dead.truth().growths, agent.growths(dead.pid())), "");
  EXPECT_EQ(count_targets(agent, "attached"), 2U);
}

}  // namespace
}  // namespace mapscope::test
