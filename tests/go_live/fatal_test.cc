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

INSTANTIATE_TEST_SUITE_P(Live, GoFatal, testing::ValuesIn(all_kinds()), PairName());

}  // namespace
}  // namespace mapscope::test
