// SPDX-License-Identifier: Apache-2.0
// Every growth that the target wrote down is one event of the agent, equal in every fact.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/support/growth.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"

namespace mapscope::test {
namespace {

struct Load {
  const char* name;
  std::vector<std::string> arguments;
  const char* kind;
  size_t least_growths;
};

const std::vector<Load>& loads() {
  // 8 slots to 2^18 buckets of 8; the churning map sheds overflow buckets until its keys run out.
  static const std::vector<Load> all = {
      {"Incremental", {"--inserts", "1000000"}, "grow", 18},
      {"StopTheWorld", {"--inserts", "1000000", "--growth", "stop_the_world"}, "grow", 18},
      {"SameSize", {"--workload", "churn", "--inserts", "300000"}, "same_size", 3},
  };
  return all;
}

using LoadAndMethod = std::tuple<size_t, std::string>;
class GrowthsOfOneThread : public testing::TestWithParam<LoadAndMethod> {};

TEST_P(GrowthsOfOneThread, EqualTheTruth) {
  const auto& [load_index, method] = GetParam();
  const Load& load = loads()[load_index];
  LiveTarget target(load.arguments);
  LiveAgent agent(target, {"--attach-method", method});
  ASSERT_EQ(target.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();

  const Truth truth = target.truth();
  const std::vector<Growth> seen = agent.growths();
  ASSERT_EQ(difference(truth.growths, seen), "");
  size_t of_kind = 0;
  for (const Growth& growth : truth.growths) of_kind += growth.kind == load.kind ? 1 : 0;
  EXPECT_GE(of_kind, load.least_growths);
  const ClockError error = median_error(truth.growths, seen);
  RecordProperty("growths", static_cast<int>(seen.size()));
  RecordProperty("median_begin_error_ns", static_cast<int>(error.begin_ns));
  RecordProperty("median_wall_error_ns", static_cast<int>(error.wall_ns));
  EXPECT_EQ(outside(truth.growths, seen), "");
  EXPECT_TRUE(agent.lost_resizes().empty());
}

// auto is uprobe_multi where the kernel has it (6.6), perf events elsewhere.
INSTANTIATE_TEST_SUITE_P(Live, GrowthsOfOneThread,
                         testing::Combine(testing::Range<size_t>(0, loads().size()),
                                          testing::Values("auto", "perf")),
                         [](const testing::TestParamInfo<LoadAndMethod>& test) {
                           return loads()[std::get<0>(test.param)].name + std::get<1>(test.param);
                         });

}  // namespace
}  // namespace mapscope::test
