// SPDX-License-Identifier: Apache-2.0
// A busy service, watched in each mode while it collects garbage and its stacks grow: it finds its
// maps as it left them, every insert is counted, nobody is accused, nothing is lost.
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>
#include <tuple>

#include "tests/support/go_fixture.h"
#include "tests/support/go_rules.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/pair_name.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

using nlohmann::json;
using FixtureAndMode = std::tuple<GoFixture, const char*>;

// "ok INSERTS=N map[…]…=N …": by map type.
std::map<std::string, uint64_t> inserts_of(const std::string& said) {
  std::map<std::string, uint64_t> inserts;
  const size_t at = said.find("\nok INSERTS=");
  if (at == std::string::npos) return inserts;
  std::istringstream words(said.substr(at));
  for (std::string word; words >> word;) {
    const size_t sign = word.rfind('=');
    if (word.starts_with("map["))
      inserts[word.substr(0, sign)] = std::stoull(word.substr(sign + 1));
  }
  return inserts;
}

class GoSoak : public testing::TestWithParam<FixtureAndMode> {};

TEST_P(GoSoak, CountsAreTheServicesOwn) {
  const auto& [fixture, mode] = GetParam();
  ASSERT_FALSE(fixture.version.empty()) << kNoGoFixtures;
  // Keeps the agent there to be asked when the service has ended.
  WaitingProgram idle({fixture.program("service"), "--wait"});
  WaitingProgram service({fixture.program("service"), "--wait", "--seconds", "1"});
  LiveAgent agent({"--mode", mode, "--pid", service.pid_text(), "--pid", idle.pid_text()});
  service.begin();
  EXPECT_EQ(service.process().wait(), 0) << service.process().out().text();
  EXPECT_EQ(service.process().err().text(), "");
  const auto inserts = inserts_of(service.process().out().text());
  ASSERT_GE(inserts.size(), 8U) << service.process().out().text();
  ASSERT_TRUE(
      poll_until([&] { return agent.metric("mapscope_targets", {"state=\"attached\""}) == 1; }));
  for (const auto& [type, count] : inserts) {
    const uint64_t seen = agent.metric("mapscope_inserts_total", {"map_type=\"" + type + "\""});
    EXPECT_EQ(seen, std::string(mode) == "inserts" ? count : 0) << type;
  }
  idle.process().signal(SIGKILL);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_TRUE(agent.events("race").empty());
  EXPECT_TRUE(agent.events("fatal").empty());
  EXPECT_GT(agent.events("resize").size(), 100U);
  json lost = agent.summary().at("lost");
  // Maps that are dropped while they grow, and others that grow in their place.
  if (fixture.has_classic_maps()) lost.erase("superseded");
  EXPECT_EQ(lost, json::object());
}

INSTANTIATE_TEST_SUITE_P(Live, GoSoak,
                         testing::Combine(testing::ValuesIn(oldest_and_newest()),
                                          testing::Values("resizes", "inserts", "races")),
                         PairName());

}  // namespace
}  // namespace mapscope::test
