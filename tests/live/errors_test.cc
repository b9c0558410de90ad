// SPDX-License-Identifier: Apache-2.0
// Each mistake is one line on standard error that names it, and its exit status.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
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

TEST(Mistake, UnknownFlag) {
  expect_refusal({"--pdi", "1"}, kUsage, "there is no option --pdi; did you mean --pid?");
  expect_refusal({"--event=json", "--pid", "1"}, kUsage, "did you mean --events?");
  expect_refusal({"--pid", "1", "--verbose"}, kUsage, "there is no option --verbose;");
}

TEST(Mistake, UnknownFlagOfACommand) {
  expect_refusal(agent_path(), {"inspect", "--jsn", "/bin/true"}, kUsage,
                 "there is no option --jsn; did you mean --json?");
}

TEST(Mistake, UnknownCommand) {
  expect_refusal({"inspekt", "/bin/true"}, kUsage, "did you mean inspect?");
}

TEST(Mistake, UnknownChoice) {
  expect_refusal({"--events", "yaml", "--pid", "1"}, kUsage,
                 "--events: 'yaml' is none of: text, summary, json, none");
  expect_refusal({"--mode", "growths", "--pid", "1"}, kUsage,
                 "--mode: 'growths' is none of: resizes, inserts, races");
}

TEST(Mistake, NameLongerThanTheKernelKeeps) {
  expect_refusal({"--comm", "a-very-long-name"}, kUsage, "15 bytes");
}

TEST(Mistake, FollowWithoutACommand) {
  expect_refusal({"--follow", "--pid", "1"}, kUsage, "--follow is about the command behind --");
  expect_refusal({"--user", "nobody", "--pid", "1"}, kUsage, "--user is about the command");
}

TEST(Mistake, UserWhoDoesNotExist) {
  expect_refusal({"--user", "no such user", "--", "true"}, kUsage, "no such user");
}

TEST(Mistake, NothingToWatch) { expect_refusal(std::vector<std::string>{}, kUsage, "--pid"); }

TEST(Mistake, PidBeyondWhatAKernelHas) {
  expect_refusal({"--pid", "999999999"}, kCannot, "pid 999999999: no such process");
}

TEST(Mistake, PidOfNoProcess) {
  const std::string pid = unused_pid();
  expect_refusal({"--pid", pid}, kCannot, "pid " + pid + ": no such process");
}

// On some machines not even root may look at it, and need not be told to become root. Elsewhere it
// has no map yet, like any other.
TEST(Mistake, FirstProcess) {
  std::error_code failed;
  std::ignore = std::filesystem::read_symlink("/proc/1/exe", failed);
  if (failed == std::errc::permission_denied)
    return expect_refusal({"--pid", "1"}, kCannot, "not even by root");
  LiveAgent agent({"--pid", "1"}, LiveAgent::Until::kStarted);
  EXPECT_TRUE(poll_until(
      [&] { return agent.process().err().text().find("no known hash map") != std::string::npos; }));
}

TEST(Mistake, RingThatIsNotAPowerOfTwo) {
  expect_refusal({"--ring-kib", "5", "--pid", "1"}, kUsage, "--ring-kib");
}

TEST(Mistake, CommandThatDoesNotExist) {
  expect_refusal({"--", "/nonexistent/program"}, 127, "/nonexistent/program");
  expect_refusal({"--", "no-such-program"}, 127, "no-such-program");
}

TEST(Mistake, CommandThatCannotBeExecuted) {
  expect_refusal({"--", "/etc/passwd"}, 126, "/etc/passwd");
}

// The default port is not worth an error to somebody at a terminal; to a service it is.
TEST(Mistake, BusyDefaultPortWithoutATerminal) {
  LiveTarget target({"--inserts", "1"});
  ChildProcess first({agent_path(), "--pid", target.pid_text()});
  ASSERT_TRUE(poll_until([&] {
    const std::string said = first.err().text();
    return said.find(":9847/metrics") != std::string::npos || !first.running();
  })) << first.err().text();
  expect_refusal(agent_path(), {"--pid", target.pid_text()}, kCannot, ":9847");
  ChildProcess second(
      {"script", "-qec", agent_path() + " --pid " + target.pid_text(), "/dev/null"});
  ASSERT_TRUE(poll_until([&] {
    return second.out().text().find("/metrics") != std::string::npos || !second.running();
  }));
  const std::string said = second.out().text();
  EXPECT_NE(said.find("cannot listen on :9847"), std::string::npos) << said;
  const size_t at = said.find("; port ");
  ASSERT_NE(at, std::string::npos) << said;
  const int port = std::stoi(said.substr(at + 7));
  EXPECT_NE(port, 9847);
  EXPECT_NE(said.find("localhost:" + std::to_string(port) + "/metrics"), std::string::npos) << said;
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
