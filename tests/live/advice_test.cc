// SPDX-License-Identifier: Apache-2.0
// Advice at the agent's default options, checked by applying it to the program that it is for.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

struct Load {
  const char* name;
  std::vector<std::string> arguments;
  uint64_t reserve;
};

const std::vector<Load>& loads() {
  // 6.5 entries in each of 2^16, 2^17 and 2 buckets.
  static const std::vector<Load> all = {
      {"Incremental", {"--inserts", "600000"}, 425985},
      {"StopTheWorld", {"--inserts", "1000000", "--growth", "stop_the_world"}, 851969},
      {"Tiny", {"--workload", "tiny", "--inserts", "2300"}, 14},
  };
  return all;
}

class AdviceForTarget : public testing::TestWithParam<size_t> {};

TEST_P(AdviceForTarget, LeavesNoGrowth) {
  const Load& load = loads()[GetParam()];
  uint64_t reserve = 0;
  {
    LiveTarget target(load.arguments);
    LiveAgent agent(target);
    ASSERT_EQ(target.run(), 0);
    ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
    uint64_t growths = 0;
    const json summary = agent.summary();
    for (const json& site : summary.at("sites")) {
      const json& advice = site.at("advice");
      reserve = std::max<uint64_t>(reserve, advice.at("reserve"));
      growths += advice.at("growths").get<uint64_t>();
      EXPECT_LE(advice.at("time_ns"), site.at("stall_ns"));
      EXPECT_EQ(advice.at("maps_beyond"), 0);
      EXPECT_GE(advice.at("holds"), advice.at("reserve"));
    }
    EXPECT_EQ(growths, target.truth().growths.size());
  }
  EXPECT_EQ(reserve, load.reserve);
  const auto growths_with = [&](uint64_t entries) {
    std::vector<std::string> arguments = load.arguments;
    arguments.insert(arguments.end(), {"--reserve", std::to_string(entries)});
    LiveTarget target(arguments);
    EXPECT_EQ(target.run(), 0);
    return target.truth().growths.size();
  };
  EXPECT_EQ(growths_with(reserve), 0U);
  EXPECT_GT(growths_with(reserve - 1), 0U);
}

INSTANTIATE_TEST_SUITE_P(Live, AdviceForTarget, testing::Range<size_t>(0, loads().size()),
                         [](const auto& test) { return loads()[test.param].name; });

}  // namespace
}  // namespace mapscope::test
