// SPDX-License-Identifier: Apache-2.0
// A watched program forks: its child, whose growths nobody may be watching any more, lives on.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "target/map/hash_map.h"
#include "tests/support/live_agent.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

constexpr int kGrowths = 100;

bool await_line() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) == 1) {
    if (byte == '\n') return true;
  }
  return false;
}

// One growth a map.
void grow_maps() {
  for (int count = 0; count < kGrowths; ++count) {
    HashMap map;
    for (uint64_t key = 0; key < 9; ++key) map.insert(key, key);
  }
}

// This very program, which has the map linked in: grows maps on the first line, forks on the
// second, lets the child grow maps, and ends as it does.
[[noreturn]] void grow_fork_grow() {
  if (!await_line()) ::_exit(3);
  grow_maps();
  if (!await_line()) ::_exit(3);
  const pid_t child = ::fork();
  if (child == 0) {
    grow_maps();
    ::_exit(0);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) ::_exit(4);
  ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

enum class AgentIs { kAttached, kEnded, kKilled };

class Fork : public testing::TestWithParam<std::tuple<AgentIs, std::string>> {};

TEST_P(Fork, ChildOfAWatchedProgramLivesAndGrows) {
  const auto& [agent_is, selection] = GetParam();
  ChildProcess program({"/nonexistent"}, {.before_exec = grow_fork_grow});
  const std::string own = std::filesystem::read_symlink("/proc/self/exe");
  LiveAgent agent({"--" + selection, selection == "pid" ? std::to_string(program.pid()) : own});
  program.write_input("\n");
  ASSERT_TRUE(poll_until([&] { return agent.growths(program.pid()).size() == kGrowths; }));
  if (agent_is != AgentIs::kAttached) {
    agent.process().signal(agent_is == AgentIs::kEnded ? SIGINT : SIGKILL);
    EXPECT_EQ(agent.wait(), agent_is == AgentIs::kEnded ? 0 : 128 + SIGKILL);
  }
  program.write_input("\n");
  EXPECT_EQ(program.wait(), 0);
}

std::string name_of(const testing::TestParamInfo<Fork::ParamType>& info) {
  static constexpr std::array kNames = {"Attached", "Ended", "Killed"};
  const auto& [agent_is, selection] = info.param;
  return std::string(kNames[static_cast<size_t>(agent_is)]) +
         (selection == "pid" ? "OneProcess" : "Shared");
}

INSTANTIATE_TEST_SUITE_P(Agent, Fork,
                         testing::Combine(testing::Values(AgentIs::kAttached, AgentIs::kEnded,
                                                          AgentIs::kKilled),
                                          testing::Values("pid", "exe")),
                         name_of);

}  // namespace
}  // namespace mapscope::test
