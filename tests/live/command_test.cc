// SPDX-License-Identifier: Apache-2.0
// What stands behind --: it runs whatever the agent sees of it, the agent ends when it does, and as
// it does.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/paths.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

// The agent with nothing of its own on standard output.
std::vector<std::string> agent_with(std::vector<std::string> arguments) {
  std::vector<std::string> command = {agent_path(), "--no-web", "--events", "none"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

TEST(Command, StatusIsTheAgents) {
  ChildProcess exits(agent_with({"--", "sh", "-c", "exit 7"}));
  EXPECT_EQ(exits.wait(), 7) << exits.err().text();
  ChildProcess dies(agent_with({"--", "sh", "-c", "kill -KILL $$"}));
  EXPECT_EQ(dies.wait(), 128 + SIGKILL) << dies.err().text();
  ChildProcess grows(agent_with({"--", target_path(), "--inserts", "1000"}));
  EXPECT_EQ(grows.wait(), 0) << grows.err().text();
}

TEST(Command, WithoutAMapRunsAndThatIsSaid) {
  ChildProcess process(agent_with({"--", "echo", "all the same"}));
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(process.out().text(), "all the same\n");
  const std::string said = process.err().text();
  EXPECT_NE(said.find("(echo): no known hash map"), std::string::npos) << said;
}

TEST(Command, EndsTheAgentAlsoWhenOthersAreSelected) {
  ChildProcess process(agent_with({"--exe", "/nonexistent/*", "--", "sh", "-c", "exit 3"}));
  EXPECT_EQ(process.wait(), 3) << process.err().text();
  LiveTarget other({"--inserts", "1"});
  ChildProcess beside(agent_with({"--pid", other.pid_text(), "--", "sh", "-c", "exit 4"}));
  EXPECT_EQ(beside.wait(), 4) << beside.err().text();
  EXPECT_TRUE(other.process().running());
}

TEST(Command, GetsTheSignalThatEndsTheAgent) {
  for (const int number : {SIGINT, SIGTERM}) {
    ChildProcess process(agent_with({"--", "sh", "-c", "echo started; exec sleep 600"}));
    ASSERT_TRUE(poll_until([&] { return process.out().text() == "started\n"; }));
    process.signal(number);
    EXPECT_EQ(process.wait(), 128 + number) << process.err().text();
  }
}

TEST(Command, ThatEndsInGoodOrderOnTheSignalHasItsOwnStatus) {
  ChildProcess process(agent_with(
      {"--", "sh", "-c", "trap 'exit 9' TERM; echo started; while :; do sleep 0.05; done"}));
  ASSERT_TRUE(poll_until([&] { return process.out().text() == "started\n"; }));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), 9) << process.err().text();
}

// timeout(1) leaves the terminal's foreground group, so that Ctrl-C does not reach it.
TEST(Command, OutsideOfTheTerminalsGroupEndsWithCtrlC) {
  ChildProcess terminal({"script", "-qec",
                         agent_path() + " --no-web --events none -- " +
                             "timeout 600 sh -c 'echo pid $$; exec sleep 601'",
                         "/dev/null"});
  const auto said = [&] { return terminal.out().text(); };
  ASSERT_TRUE(poll_until([&] {
    const size_t at = said().find("pid ");
    return at != std::string::npos && said().find('\n', at) != std::string::npos;
  }));
  const int pid = std::stoi(said().substr(said().find("pid ") + 4));
  terminal.write_input("\x03");
  terminal.wait();
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(Command, IsEndedWhenTheTimeIsOver) {
  ChildProcess process(agent_with({"--seconds", "1", "--", "sh", "-c", "echo $$; exec sleep 600"}));
  EXPECT_EQ(process.wait(), 0) << process.err().text();
  const int pid = std::stoi(process.out().text());
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(Command, RunsAsAnotherUser) {
  ChildProcess process(agent_with(
      {"--user", "nobody", "--", "sh", "-c", "id -un; id -G; echo $HOME $USER $LOGNAME; exit 5"}));
  EXPECT_EQ(process.wait(), 5) << process.err().text();
  EXPECT_EQ(process.out().text(), "nobody\n65534\n/nonexistent nobody nobody\n");
}

TEST(Command, OfAnotherUserIsWatched) {
  LiveAgent agent({"--user", "nobody", "--", "/bin/sh", "-c", "true"}, LiveAgent::Until::kStarted);
  EXPECT_EQ(agent.wait(), 0);
  // From a place that everybody may execute.
  const TemporaryDirectory directory;
  std::filesystem::permissions(directory / "", std::filesystem::perms(0755));
  std::filesystem::copy_file(target_path(), directory / "target");
  LiveAgent grows({"--user", "nobody", "--", directory / "target", "--inserts", "100000"},
                  LiveAgent::Until::kStarted);
  EXPECT_EQ(grows.wait(), 0) << grows.process().err().text();
  EXPECT_FALSE(grows.growths().empty());
}

// It is not the command that has the map, but what it starts; one is left behind by its parent.
TEST(Command, ChildrenAreWatchedWhenFollowed) {
  for (const std::string script :
       {"exec 3<&0; T --wait --inserts 100000 <&3 & wait",
        "exec 3<&0; (T --wait --inserts 100000 <&3 & ) | cat >/dev/null; exit 6"}) {
    std::string command = script;
    command.replace(command.find('T'), 1, target_path());
    LiveAgent agent({"--follow", "--", "sh", "-c", command}, LiveAgent::Until::kStarted);
    // The shell itself is a target that cannot be watched.
    ASSERT_TRUE(poll_until([&] {
      const auto targets = agent.events("target");
      return !targets.empty() && targets.back().at("state") == "attached";
    })) << agent.process().err().text();
    agent.process().write_input("\n");
    ASSERT_TRUE(poll_until([&] {
      const auto targets = agent.events("target");
      return targets.back().at("state") == "gone";
    }));
    EXPECT_EQ(agent.wait(), script.ends_with("6") ? 6 : 0) << agent.process().err().text();
    ASSERT_FALSE(agent.growths().empty());
    EXPECT_EQ(agent.growths().front().old_slots, 8U);
  }
}

// Those of a command without a map are: it may be there only to start them (waiting_test.cc).
TEST(Command, ChildrenOfOneWithAMapAreNotWatchedUnlessFollowed) {
  const std::string preload = std::string("LD_PRELOAD=") + MAPSCOPE_FIXTURE_CONTRACT_LIBRARY;
  for (const bool follow : {false, true}) {
    std::vector<std::string> arguments = {"--",
                                          "env",
                                          preload,
                                          "sh",
                                          "-c",
                                          "read line; exec 3<&0; env -u LD_PRELOAD " +
                                              target_path() +
                                              " --wait --inserts 100000 <&3; exit 2"};
    if (follow) arguments.insert(arguments.begin(), "--follow");
    LiveAgent agent(arguments, LiveAgent::Until::kStarted);
    // The shell has the library's map, and so has its child before it is the target.
    const auto attached = [&](const std::string& comm) {
      size_t count = 0;
      for (const auto& event : agent.events("target"))
        count += event.at("state") == "attached" && event.at("comm") == comm;
      return count;
    };
    ASSERT_TRUE(poll_until([&] { return attached("sh") == 1; })) << agent.process().err().text();
    agent.process().write_input("\n");
    if (follow) {
      ASSERT_TRUE(poll_until([&] { return attached("target") == 1; }))
          << agent.process().err().text();
    }
    agent.process().write_input("\n");
    EXPECT_EQ(agent.wait(), 2) << agent.process().err().text();
    EXPECT_EQ(attached("target"), follow ? 1U : 0U);
    EXPECT_EQ(agent.growths().empty(), !follow);
  }
}

}  // namespace
}  // namespace mapscope::test
