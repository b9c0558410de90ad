// SPDX-License-Identifier: Apache-2.0
// The end of a Go program by a misused map is told with the runtime's own words and numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tests/support/go_fixture.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/pair_name.h"

namespace mapscope::test {
namespace {

using FixtureAndKind = std::tuple<GoFixture, const char*>;
class GoFatal : public testing::TestWithParam<FixtureAndKind> {};

std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const size_t at = text.find(before);
  if (at == std::string::npos) return "";
  const size_t begin = at + before.size();
  return text.substr(begin, text.find(after, begin) - begin);
}

std::vector<FixtureAndKind> all_kinds() {
  std::vector<FixtureAndKind> kinds;
  for (const GoFixture& fixture : plain_fixtures()) {
    for (const char* kind : {"write", "read", "iterate"}) kinds.emplace_back(fixture, kind);
    // maps.Clone came with 1.21.
    if (fixture.version.empty() || fixture.minor() >= 21) kinds.emplace_back(fixture, "clone");
  }
  return kinds;
}

// A broken map may end a program in other words, or hold it, before the runtime's check ends it,
// and the words of two goroutines that die at once are mixed: then again.
constexpr int kTries = 10;

bool is_one_fatal(const std::string& said) {
  constexpr std::string_view kBegin = "fatal error: ";
  return said.find("concurrent map") != std::string::npos &&
         said.find(kBegin) == said.rfind(kBegin);
}

TEST_P(GoFatal, IsToldAsTheRuntimeTellsIt) {
  const auto& [fixture, kind] = GetParam();
  ASSERT_FALSE(fixture.version.empty()) << kNoGoFixtures;
  std::string said;
  std::string map;  // of the last round
  std::unique_ptr<LiveAgent> agent;
  for (int tried = 0; !is_one_fatal(said); ++tried) {
    ASSERT_LT(tried, kTries) << said;
    WaitingProgram target({fixture.program("race"), "--wait", "--seconds", "5", "--kind", kind});
    agent = std::make_unique<LiveAgent>(std::vector<std::string>{"--pid", target.pid_text()});
    target.begin();
    EXPECT_NE(target.process().wait(), 0);
    ASSERT_EQ(agent->wait(), 0) << agent->process().err().text();
    said = target.process().err().text();
    const std::string out = target.process().out().text();
    map = between(out.substr(out.rfind("map 0x")), "map ", "\n");
  }
  const auto fatals = agent->events("fatal");
  const std::string goroutine = between(said, "\ngoroutine ", " ");
  // Several may die at once; the runtime names one of them.
  const auto named = std::find_if(fatals.begin(), fatals.end(), [&](const nlohmann::json& fatal) {
    return fatal.at("goroutine").at("id").dump() == goroutine;
  });
  ASSERT_NE(named, fatals.end()) << said << nlohmann::json(fatals);
  EXPECT_EQ(named->at("message"), between(said, "fatal error: ", "\n"));
  ASSERT_TRUE(named->contains("site")) << *named;
  EXPECT_TRUE(named->at("site").at("file").get<std::string>().starts_with("fixtures/race/"))
      << *named;
  EXPECT_EQ(named->at("map").at("addr"), map) << *named;
  EXPECT_EQ(agent->summary().at("targets").front().at("fatals"), 1U);
}

// The entries with which a map of 2^16 buckets begins to grow. Writers move two buckets with each
// write, so they meet long before the growth ends.
int entries_of_growth(const GoFixture& fixture) {
  constexpr int kBuckets = 1 << 16;
  return (fixture.minor() == 21 ? kBuckets * 6 : kBuckets / 2 * 13) + 1;
}

class GoFatalWhileGrowing : public testing::TestWithParam<GoFixture> {};

TEST_P(GoFatalWhileGrowing, IsToldSo) {
  const GoFixture& fixture = GetParam();
  ASSERT_FALSE(fixture.version.empty()) << kNoGoFixtures;
  const std::string before = std::to_string(entries_of_growth(fixture));
  WaitingProgram target({fixture.program("race"), "--wait", "--before", before});
  LiveAgent agent({"--pid", target.pid_text()});
  target.begin();
  EXPECT_NE(target.process().wait(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const auto fatals = agent.events("fatal");
  ASSERT_FALSE(fatals.empty()) << target.process().err().text();
  const nlohmann::json& fatal = fatals.front();
  ASSERT_TRUE(fatal.contains("last_growth")) << fatal;
  const nlohmann::json& growth = fatal.at("last_growth");
  uint64_t last_ended = 0;  // its begin
  for (const nlohmann::json& resize : agent.events("resize"))
    last_ended = std::max(last_ended, resize.at("begin_ns").get<uint64_t>());
  // A growth of a swiss map is over before its insert writes.
  EXPECT_EQ(growth.value("growing", false), fixture.has_classic_maps()) << fatal;
  EXPECT_EQ(growth.at("begin_ns") > last_ended, fixture.has_classic_maps()) << fatal;
  const std::string text =
      fixture.has_classic_maps() ? "; the map had been growing for " : "; the map last grew";
  EXPECT_NE(agent.process().err().text().find(text), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Live, GoFatalWhileGrowing, testing::ValuesIn(plain_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });

INSTANTIATE_TEST_SUITE_P(Live, GoFatal, testing::ValuesIn(all_kinds()), PairName());

}  // namespace
}  // namespace mapscope::test
