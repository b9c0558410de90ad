// SPDX-License-Identifier: Apache-2.0
// Each mistake is one line on standard error that names it, and its exit status.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

constexpr int kCannot = 1;
constexpr int kUsage = 2;
constexpr uid_t kNobody = 65534;

void expect_refusal(const std::string& agent, const std::vector<std::string>& arguments, int status,
                    const std::string& words, const SpawnOptions& options = {}) {
  std::vector<std::string> command = {agent};
  command.insert(command.end(), arguments.begin(), arguments.end());
  ChildProcess process(command, options);
  EXPECT_EQ(process.wait(), status);
  const std::string said = process.err().text();
  EXPECT_TRUE(said.starts_with("agent: ")) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(said.find(words), std::string::npos) << said;
  EXPECT_EQ(process.out().text(), "");
}

void expect_refusal(const std::vector<std::string>& arguments, int status,
                    const std::string& words) {
  std::vector<std::string> all = {"--web.listen-address", "127.0.0.1:0"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  expect_refusal(agent_path(), all, status, words);
}

// A number that no process has: one that had it has just ended and been reaped.
std::string unused_pid() {
  ChildProcess process({"true"});
  process.wait();
  return std::to_string(process.pid());
}

TEST(Mistake, BusyPort) {
  LiveTarget target({"--inserts", "1"});
  LiveAgent first(target);
  const std::string address = "127.0.0.1:" + std::to_string(first.port());
  expect_refusal(agent_path(), {"--web.listen-address", address, "--pid", target.pid_text()},
                 kCannot, address);
}

TEST(Mistake, BadListenAddress) {
  LiveTarget target({"--inserts", "1"});
  expect_refusal(agent_path(), {"--web.listen-address", "here", "--pid", target.pid_text()}, kUsage,
                 "here");
}

TEST(Mistake, UnknownFlag) { expect_refusal({"--pdi", "1"}, kUsage, "--pdi"); }

TEST(Mistake, NothingToWatch) { expect_refusal(std::vector<std::string>{}, kUsage, "--pid"); }

TEST(Mistake, PidBeyondWhatAKernelHas) {
  expect_refusal({"--pid", "999999999"}, kCannot, "pid 999999999: no such process");
}

TEST(Mistake, PidOfNoProcess) {
  const std::string pid = unused_pid();
  expect_refusal({"--pid", pid}, kCannot, "pid " + pid + ": no such process");
}

TEST(Mistake, RingThatIsNotAPowerOfTwo) {
  expect_refusal({"--ring-kib", "5", "--pid", "1"}, kUsage, "--ring-kib");
}

TEST(Mistake, CommandThatDoesNotExist) {
  expect_refusal({"--", "/nonexistent/program"}, kUsage, "/nonexistent/program");
}

TEST(Mistake, NoPrivilege) {
  // From a place that every user may read.
  const TemporaryDirectory directory;
  const std::string agent = directory / "agent";
  std::filesystem::copy_file(agent_path(), agent);
  const SpawnOptions nobody{.user = kNobody};
  const ChildProcess own({"sleep", "3600"}, nobody);
  expect_refusal(agent, {"--no-web", "--pid", std::to_string(own.pid())}, kCannot, "sudo", nobody);
}

}  // namespace
}  // namespace mapscope::test
