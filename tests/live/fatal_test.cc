// SPDX-License-Identifier: Apache-2.0
// A process that dies of a misused map: said once, with its words, its thread and its stack, before
// it is said to be gone.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

constexpr int kTries = 50;  // a try without a fatal is one whose threads never met: rare with ten
constexpr int kFatalStatus = 2;

std::set<uint64_t> threads_of(pid_t pid) {
  std::set<uint64_t> tids;
  const std::string directory = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    tids.insert(std::stoull(entry.path().filename().string()));
  }
  return tids;
}

size_t index_of(const std::vector<nlohmann::json>& events, const std::string& kind,
                const std::string& state) {
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].at("event") == kind && events[i].value("state", "") == state) return i;
  }
  return events.size();
}

void expect_fatal_told(LiveAgent& agent, LiveTarget& target, const std::set<uint64_t>& threads) {
  const std::vector<nlohmann::json> fatals = agent.events("fatal");
  ASSERT_EQ(fatals.size(), 1U);
  const nlohmann::json& fatal = fatals.front();
  EXPECT_EQ("fatal error: " + fatal.at("message").get<std::string>() + "\n",
            target.process().err().text());
  EXPECT_EQ(fatal.at("pid"), target.pid());
  EXPECT_TRUE(threads.contains(fatal.at("tid"))) << fatal;
  ASSERT_FALSE(fatal.at("stack").empty()) << fatal;
  const nlohmann::json& site = fatal.at("site");
  EXPECT_NE(site.at("function").get<std::string>().find("mapscope::"), std::string::npos) << fatal;
  EXPECT_NE(site.at("file").get<std::string>().find("target/"), std::string::npos) << fatal;
  const auto& events = agent.events();
  EXPECT_LT(index_of(events, "fatal", ""), index_of(events, "target", "gone"));
  EXPECT_LT(index_of(events, "target", "gone"), events.size());
}

TEST(Fatal, IsToldBeforeTheProcessIsGone) {
  const int wanted = in_slow_machine() ? 2 : 5;
  int fatals = 0;
  for (int attempt = 0; attempt < kTries && fatals < wanted; ++attempt) {
    LiveTarget target({"--strategy", "plain", "--threads", "10", "--inserts", "1000000"});
    LiveAgent agent(target);
    const std::set<uint64_t> threads = threads_of(target.pid());
    const int status = target.run();
    ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
    if (status != kFatalStatus) {
      ASSERT_EQ(status, 0);
      EXPECT_TRUE(agent.events("fatal").empty());
      continue;
    }
    ++fatals;
    expect_fatal_told(agent, target, threads);
    EXPECT_EQ(agent.summary().at("targets").at(0).at("fatals"), 1U);
  }
  EXPECT_EQ(fatals, wanted);
}

// As the service, the image and the DaemonSet run it.
TEST(Fatal, IsLoggedAndKeptWithoutEvents) {
  for (const std::string events : {"none", "text", "summary", "json"}) {
    // Keeps the agent there when the other one has died.
    LiveTarget survivor({"--inserts", "1"});
    int status = 0;
    for (int attempt = 0; attempt < kTries && status != kFatalStatus; ++attempt) {
      LiveTarget target({"--strategy", "plain", "--threads", "10", "--inserts", "1000000"});
      LiveAgent agent(
          {"--events", events, "--pid", target.pid_text(), "--pid", survivor.pid_text()});
      status = target.run();
      if (status != kFatalStatus) continue;
      ASSERT_TRUE(poll_until(
          [&] { return agent.process().err().text().find("fatal error: ") != std::string::npos; }));
      const std::string said = agent.process().err().text();
      const std::string who = "agent: warning: target (pid " + target.pid_text() + "), thread ";
      EXPECT_NE(said.find(who), std::string::npos) << said;
      std::string message = target.process().err().text();
      message.pop_back();
      const size_t at = said.find(message + " of map 0x");
      ASSERT_NE(at, std::string::npos) << said;
      const std::string rest = said.substr(at, said.find('\n', at) - at);
      EXPECT_NE(rest.find(" at mapscope::"), std::string::npos) << said;
      const auto fatals = nlohmann::json::parse(agent.get("/api/v1/fatals").body).at("fatals");
      ASSERT_EQ(fatals.size(), 1U);
      EXPECT_EQ(fatals[0].at("pid"), target.pid());
      EXPECT_EQ("fatal error: " + fatals[0].at("message").get<std::string>(), message);
      EXPECT_NE(agent.get("/").body.find(message), std::string::npos);
    }
    EXPECT_EQ(status, kFatalStatus);
  }
}

}  // namespace
}  // namespace mapscope::test
