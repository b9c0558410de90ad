// SPDX-License-Identifier: Apache-2.0
// With default options every growth has its line, and it is the right one: far more growths than
// stacks are sampled of, two lines of one map type, a burst at another line before, and programs
// that are loaded somewhere else each time.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/go_fixture.h"
#include "tests/support/live_agent.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

// Function, line and map type of a growth; "" and 0 where they are not known.
using Site = std::tuple<std::string, int, std::string>;

Site site_of(const json& resize) {
  const json site = resize.value("site", json::object());
  return {site.value("function", ""), site.value("line", 0), resize.at("map").value("type", "")};
}

class Sites {
 public:
  explicit Sites(const std::vector<json>& resizes) {
    for (const json& resize : resizes) {
      if (resize.at("runtime") != "sync_map") ++counts_[site_of(resize)];
    }
  }
  // Growths of a type by the functions they are attributed to; each function has one line.
  [[nodiscard]] std::map<std::string, size_t> of_type(const std::string& type) const {
    std::map<std::string, size_t> found;
    std::map<std::string, std::set<int>> lines;
    for (const auto& [site, count] : counts_) {
      const auto& [function, line, map_type] = site;
      if (map_type != type) continue;
      EXPECT_GT(line, 0) << function << " of " << count << " growths";
      found[function] += count;
      lines[function].insert(line);
    }
    for (const auto& [function, seen] : lines) EXPECT_EQ(seen.size(), 1U) << function;
    return found;
  }

 private:
  std::map<Site, size_t> counts_;
};

// The budget is the default one, which is not that of other tests.
std::vector<json> watch(const GoFixture& fixture, const std::vector<std::string>& load,
                        std::vector<std::string> command = {}) {
  command.insert(command.end(), {"--overhead-budget", "1%", "--", fixture.program("sites")});
  command.insert(command.end(), load.begin(), load.end());
  LiveAgent agent(command, LiveAgent::Until::kStarted);
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
  return agent.events("resize");
}

class GoCallSite : public testing::TestWithParam<GoFixture> {
 protected:
  void SetUp() override { ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures; }
};

TEST_P(GoCallSite, TwoLinesOfOneTypeAreNeverMixed) {
  const std::vector<json> resizes = watch(GetParam(), {"--load", "two", "--rounds", "200"});
  const Sites sites(resizes);
  const auto found = sites.of_type("map[int]int");
  ASSERT_EQ(found.size(), 2U);
  // More than stacks are sampled of, within two seconds.
  EXPECT_GT(found.at("main.fillSmall"), 4000U);
  EXPECT_GT(found.at("main.fillLarge"), 1000U);
  for (const json& resize : resizes) {
    if (site_of(resize) == Site()) continue;
    const bool is_large = resize.value("entries", 0) > 100;
    EXPECT_TRUE(!is_large || std::get<0>(site_of(resize)) == "main.fillLarge") << resize;
  }
}

TEST_P(GoCallSite, BurstElsewhereTakesNoLineAway) {
  const Sites sites(watch(GetParam(), {"--load", "burst", "--rounds", "1200"}));
  const auto burst = sites.of_type("map[uint64]uint64");
  ASSERT_EQ(burst.size(), 1U);
  EXPECT_GT(burst.at("main.burst"), 4000U) << "as many as stacks are sampled at once";
  const auto named = sites.of_type("map[string]uint64");
  ASSERT_EQ(named.size(), 1U);
  EXPECT_GT(named.at("main.fillNamed"), 5U);
}

TEST_P(GoCallSite, GrowthInTheStandardLibraryNamesTheProgramsOwnLine) {
  size_t growths = 0;
  for (const json& resize : watch(GetParam(), {"--load", "library", "--rounds", "3"})) {
    if (resize.at("map").value("type", "") != "map[string]int") continue;
    ++growths;
    EXPECT_TRUE(std::get<0>(site_of(resize)).starts_with("encoding/json")) << resize;
    ASSERT_TRUE(resize.contains("own_site")) << resize;
    EXPECT_EQ(resize.at("own_site").at("function"), "main.decode");
  }
  EXPECT_GE(growths, 3U);
}

INSTANTIATE_TEST_SUITE_P(Live, GoCallSite, testing::ValuesIn(go_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });

// One stack in a second: where the program is loaded must not matter.
TEST(GoCallSiteOfPie, IsTheSameInEveryRun) {
  size_t fixtures = 0;
  for (const GoFixture& fixture : go_fixtures()) {
    if (fixture.build != "pie") continue;
    ++fixtures;
    std::set<std::string> lines;
    for (int run = 0; run < 3; ++run) {
      for (const json& resize :
           watch(fixture, {"--load", "two", "--rounds", "2"}, {"--stacks-per-second", "1"})) {
        if (resize.at("map").value("type", "") == "map[int]int")
          lines.insert(resize.at("site").dump());
      }
    }
    EXPECT_EQ(lines.size(), 2U) << fixture;
  }
  EXPECT_GE(fixtures, 2U) << kNoGoFixtures;
}

}  // namespace
}  // namespace mapscope::test
