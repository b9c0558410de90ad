// SPDX-License-Identifier: Apache-2.0
// Processes that have no map when the agent looks at them: that is never the last word.
#include <elf.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/paths.h"
#include "tests/support/selection.h"

namespace mapscope::test {
namespace {

bool said(LiveAgent& agent, const std::string& words) {
  return agent.process().err().text().find(words) != std::string::npos;
}

std::vector<std::string> load(const std::string& truth) {
  return {target_path(), "--wait", "--truth", truth, "--inserts", "20000"};
}

void expect_truth(LiveAgent& agent, const std::string& truth, pid_t pid) {
  const std::vector<Growth> growths = read_truth(truth).growths;
  EXPECT_FALSE(growths.empty());
  EXPECT_EQ(difference(growths, agent.growths(pid)), "");
}

// What stands before a program on a command line, and executes it.
class CommandBefore : public testing::TestWithParam<std::vector<std::string>> {};

// 0 when the agent has ended before.
pid_t await_ready_line(LiveAgent& agent) {
  pid_t pid = 0;
  (void)poll_until([&] {
    if (!agent.process().running()) return true;
    const std::string text = agent.process().out().text();
    const size_t at = text.find("ready ");
    if (at == std::string::npos || text.find('\n', at) == std::string::npos) return false;
    pid = std::stoi(text.substr(at + 6));
    return true;
  });
  return pid;
}

TEST_P(CommandBefore, AProgramIsNotWhatIsWatched) {
  const TemporaryDirectory directory;
  std::vector<std::string> arguments = {"--"};
  arguments.insert(arguments.end(), GetParam().begin(), GetParam().end());
  for (const std::string& word : load(directory / "truth")) arguments.push_back(word);
  LiveAgent agent(arguments, LiveAgent::Until::kStarted);
  const pid_t pid = await_ready_line(agent);
  ASSERT_NE(pid, 0) << agent.process().err().text();
  ASSERT_TRUE(await_attached(agent, pid)) << agent.process().err().text();
  agent.process().write_input("\n");
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_FALSE(said(agent, "no known hash map")) << agent.process().err().text();
  expect_truth(agent, directory / "truth", pid);
}

INSTANTIATE_TEST_SUITE_P(
    Live, CommandBefore,
    testing::Values(std::vector<std::string>{"env", "X=1"}, std::vector<std::string>{"nice"},
                    std::vector<std::string>{"nohup"}, std::vector<std::string>{"setsid"},
                    std::vector<std::string>{"timeout", "600"},
                    std::vector<std::string>{"sh", "-c", "exec \"$@\"", "sh"},
                    std::vector<std::string>{"sh", "-c", "true; \"$@\"; true", "shell"},
                    std::vector<std::string>{"/lib64/ld-linux-x86-64.so.2"}),
    [](const testing::TestParamInfo<std::vector<std::string>>& test) {
      const std::string& last = test.param.back();
      if (last == "sh" || last == "shell") return last + "_starts_it";
      return last.starts_with("/lib64") ? std::string("loader") : test.param.front();
    });

TEST(Waiting, CommandWithoutAMapRunsToItsEnd) {
  LiveAgent agent({"--", "sleep", "0.1"}, LiveAgent::Until::kStarted);
  agent.wait();
  EXPECT_TRUE(said(agent, "(sleep): no known hash map")) << agent.process().err().text();
}

TEST(Waiting, NamedProcessIsWatchedWhenItExecutesAProgramWithAMap) {
  const TemporaryDirectory directory;
  std::vector<std::string> command = {"sh", "-c", "read line; exec \"$@\"", "sh"};
  for (const std::string& word : load(directory / "truth")) command.push_back(word);
  ChildProcess process(command);
  LiveAgent agent({"--pid", std::to_string(process.pid())});
  EXPECT_TRUE(said(agent, "(sh): no known hash map")) << agent.process().err().text();
  process.write_input("\n");
  ASSERT_TRUE(await_attached(agent, process.pid())) << agent.process().err().text();
  process.write_input("\n");
  ASSERT_EQ(process.wait(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  expect_truth(agent, directory / "truth", process.pid());
}

TEST(Waiting, NamedProcessIsWatchedWhenItLoadsALibraryWithAMap) {
  WaitingProgram host({MAPSCOPE_FIXTURE_LIBRARY_HOST});
  LiveAgent agent({"--pid", host.pid_text()});
  EXPECT_EQ(times(agent, "unsupported", host.pid()), 1U);
  host.process().write_input(std::string("open ") + MAPSCOPE_FIXTURE_CONTRACT_LIBRARY + "\n");
  EXPECT_TRUE(await_attached(agent, host.pid())) << agent.process().err().text();
  EXPECT_TRUE(
      poll_until([&] { return agent.metric("mapscope_targets", {"state=\"unsupported\""}) == 0; }));
  host.process().close_input();
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
}

// Its sections are said to be far behind its end, which no loader minds.
std::string library_that_cannot_be_read(const TemporaryDirectory& directory) {
  std::string path = directory / "broken.so";
  std::filesystem::copy_file(MAPSCOPE_FIXTURE_CONTRACT_LIBRARY, path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const uint64_t far = 0x7fffffffffff;
  file.seekp(offsetof(Elf64_Ehdr, e_shoff));
  file.write(reinterpret_cast<const char*>(&far), sizeof(far));
  return path;
}

TEST(Waiting, LibraryThatCannotBeReadIsNamedWithTheReason) {
  const TemporaryDirectory directory;
  const std::string path = library_that_cannot_be_read(directory);
  WaitingProgram host({MAPSCOPE_FIXTURE_LIBRARY_HOST});
  host.process().write_input("open " + path + "\n");
  ASSERT_TRUE(poll_until(
      [&] { return host.process().out().text().find("open " + path) != std::string::npos; }));
  LiveAgent agent({"--pid", host.pid_text()});
  EXPECT_TRUE(said(agent, path + ": corrupt ELF file: ")) << agent.process().err().text();
}

TEST(Waiting, EndOfANamedProcessThatNeverHadAMapIsAnError) {
  ChildProcess process({"sleep", "3600"});
  LiveAgent agent({"--pid", std::to_string(process.pid())});
  process.signal(SIGTERM);
  EXPECT_EQ(agent.wait(), 1);
  EXPECT_TRUE(
      said(agent, "agent: pid " + std::to_string(process.pid()) + " (sleep): no known hash map"))
      << agent.process().err().text();
}

// Whoever has the number next was not named.
TEST(Waiting, NextProcessOfThatNumberIsNotLookedAt) {
  ChildProcess process({"sleep", "3600"});
  LiveTarget other({"--inserts", "1000"});
  LiveAgent agent({"--pid", std::to_string(process.pid()), "--pid", other.pid_text()});
  process.signal(SIGTERM);
  process.wait();
  const LiveTarget next({"--inserts", "1000"}, {.pid = process.pid()});
  ASSERT_EQ(next.pid(), process.pid());
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", process.pid()) == 1; }));
  ASSERT_EQ(other.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_EQ(times(agent, "attached", next.pid()), 0U);
}

}  // namespace
}  // namespace mapscope::test
