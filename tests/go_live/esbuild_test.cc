// SPDX-License-Identifier: Apache-2.0
// esbuild at work: stripped programs that nobody here wrote, of Go versions that no package has.
// They must do what they do unwatched, and every resize must be explained and keep to the rules.
#include "tests/support/esbuild.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <tuple>

#include "tests/support/go_rules.h"
#include "tests/support/live_agent.h"
#include "tests/support/pair_name.h"
#include "tests/support/poll.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

constexpr int kModules = 60;
// No build of so many modules has fewer.
constexpr size_t kFewestResizes = 200;

std::string content_of(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

// Modules, and what an unwatched esbuild makes of them.
class Workspace {
 public:
  explicit Workspace(const Esbuild& esbuild) : esbuild_(&esbuild) {
    write_modules(directory_.path(), kModules);
    std::ofstream(directory_ / "main.ts") << import_of_modules(".");
  }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }
  // All of what it writes is the bundle, but for faults.
  [[nodiscard]] std::vector<std::string> command(const std::string& entry,
                                                 const std::string& name) const {
    std::vector<std::string> words = {esbuild_->program,
                                      "--bundle",
                                      "--minify",
                                      "--sourcemap",
                                      "--log-level=warning",
                                      "--outfile=" + path(name + "/main.js")};
    if (!entry.empty()) words.push_back(entry);
    return words;
  }
  // Waits for the entry on its standard input.
  [[nodiscard]] std::unique_ptr<ChildProcess> start(const std::string& name) const {
    SpawnOptions options;
    options.before_exec = [this] {
      if (::chdir(directory_.path().c_str()) != 0) ::_exit(1);
    };
    auto words = command("", name);
    words.insert(words.end(), {"--loader=ts", "--sourcefile=main.ts"});
    auto process = std::make_unique<ChildProcess>(words, options);
    const std::string exe = "/proc/" + std::to_string(process->pid()) + "/exe";
    EXPECT_TRUE(poll_until([&] {
      std::error_code ignored;
      return std::filesystem::read_symlink(exe, ignored) == esbuild_->program;
    }));
    return process;
  }
  void finish(ChildProcess& process) const {
    process.write_input(import_of_modules("."));
    process.close_input();
    EXPECT_EQ(process.wait(), 0);
    EXPECT_EQ(process.err().text() + process.out().text(), "");
  }
  void expect_same(const std::string& name, const std::string& reference) const {
    for (const char* file : {"/main.js", "/main.js.map"}) {
      const std::string expected = content_of(path(reference + file));
      EXPECT_GT(expected.size(), 10000U);
      EXPECT_TRUE(content_of(path(name + file)) == expected) << file;
    }
  }

 private:
  const Esbuild* esbuild_;
  TemporaryDirectory directory_;
};

// Every map of this type, in every version, has buckets and groups of one size.
void expect_known_bytes(const json& resize) {
  if (resize.at("map").at("type") != "map[uint32]uint32" || resize.at("new_slots") > 64) return;
  const uint64_t groups = resize.at("new_slots").get<uint64_t>() / 8;
  if (resize.at("runtime") != "go_swiss") {
    EXPECT_EQ(resize.at("new_bytes"), groups * 80) << resize;
    return;
  }
  // The header of a table, and the directory of the first one.
  const uint64_t others = 32 + (resize.at("kind") == "small_to_table" ? 8 : 0);
  EXPECT_EQ(resize.at("new_bytes"), groups * 72 + others) << resize;
}

void expect_rules(LiveAgent& agent, size_t fewest) {
  const auto resizes = agent.events("resize");
  EXPECT_GE(resizes.size(), fewest);
  for (const json& resize : resizes) {
    ASSERT_EQ(broken_rule(resize), "");
    expect_known_bytes(resize);
  }
  EXPECT_EQ(broken_order(resizes), "");
  EXPECT_EQ(agent.summary().at("lost"), json::object());
  EXPECT_TRUE(agent.events("fatal").empty());
  EXPECT_TRUE(agent.events("race").empty());
  for (const json& target : agent.events("target")) EXPECT_FALSE(target.contains("unseen"));
}

class EsbuildAtWork : public testing::TestWithParam<Esbuild> {
 protected:
  void SetUp() override { ASSERT_FALSE(GetParam().version.empty()) << kNoEsbuild; }
};

TEST_P(EsbuildAtWork, IsTheSameFromItsFirstInstructionOn) {
  const Workspace workspace(GetParam());
  ChildProcess unwatched(workspace.command(workspace.path("main.ts"), "plain"));
  ASSERT_EQ(unwatched.wait(), 0) << unwatched.err().text();
  std::vector<std::string> arguments = {"--"};
  const auto command = workspace.command(workspace.path("main.ts"), "watched");
  arguments.insert(arguments.end(), command.begin(), command.end());
  LiveAgent agent(arguments, LiveAgent::Until::kStarted);
  EXPECT_EQ(agent.wait(), 0);
  const std::string said = agent.process().err().text();
  EXPECT_TRUE(said.starts_with("agent: metrics at ")) << said;
  EXPECT_EQ(said.find('\n'), said.size() - 1) << said;
  workspace.expect_same("watched", "plain");
  expect_rules(agent, kFewestResizes);
}

// Its cache of a build lasts for less.
constexpr std::chrono::milliseconds kBetweenBuilds(300);
constexpr int kRounds = 2;

uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

// A server that builds anew for a request, watched again and again.
TEST_P(EsbuildAtWork, ServesTheSameWhileTheAgentComesAndGoes) {
  const Workspace workspace(GetParam());
  const uint16_t port = free_port();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  ChildProcess server({GetParam().program, workspace.path("main.ts"), "--bundle",
                       "--outdir=" + workspace.path("nowhere"), "--serve=" + address});
  const auto build = [&] {
    std::this_thread::sleep_for(kBetweenBuilds);
    return http_exchange(
        "127.0.0.1", port,
        "GET /main.js HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n");
  };
  HttpAnswer unwatched;
  ASSERT_TRUE(poll_until([&] { return (unwatched = build()).status == 200; }))
      << server.err().text();
  EXPECT_GT(unwatched.body.size(), 10000U);
  for (int round = 0; round < kRounds; ++round) {
    LiveAgent agent({"--pid", std::to_string(server.pid())});
    EXPECT_TRUE(build().body == unwatched.body);
    ASSERT_TRUE(server.running()) << server.err().text();
    agent.process().signal(SIGINT);
    EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
    expect_rules(agent, kFewestResizes);
  }
  EXPECT_TRUE(build().body == unwatched.body);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 128 + SIGTERM) << server.err().text();
}

INSTANTIATE_TEST_SUITE_P(Live, EsbuildAtWork, testing::ValuesIn(esbuilds()),
                         [](const auto& test) { return test.param.test_name(); });

using EsbuildAndMode = std::tuple<Esbuild, const char*>;
class EsbuildModes : public testing::TestWithParam<EsbuildAndMode> {};

TEST_P(EsbuildModes, LeaveItAsItIs) {
  const auto& [esbuild, mode] = GetParam();
  ASSERT_FALSE(esbuild.version.empty()) << kNoEsbuild;
  const Workspace workspace(esbuild);
  const auto unwatched = workspace.start("plain");
  workspace.finish(*unwatched);
  const auto watched = workspace.start("watched");
  LiveAgent agent({"--mode", mode, "--pid", std::to_string(watched->pid())});
  workspace.finish(*watched);
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
  workspace.expect_same("watched", "plain");
  expect_rules(agent, kFewestResizes);
}

INSTANTIATE_TEST_SUITE_P(Live, EsbuildModes,
                         testing::Combine(testing::ValuesIn(esbuilds()),
                                          testing::Values("inserts", "races")),
                         PairName());

}  // namespace
}  // namespace mapscope::test
