// SPDX-License-Identifier: Apache-2.0
// Where the resizing thread was: the four states add up to the wall time, and each shows when it
// must.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/growth.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kPageBytes = 4096;

uint64_t sum_of_states(const Json& resize) {
  return resize.at("running_ns").get<uint64_t>() + resize.at("runnable_ns").get<uint64_t>() +
         resize.at("sleeping_ns").get<uint64_t>() + resize.at("uninterruptible_ns").get<uint64_t>();
}

uint64_t sum_over(const std::vector<Json>& resizes, const char* member) {
  uint64_t sum = 0;
  for (const Json& resize : resizes) sum += resize.at(member).get<uint64_t>();
  return sum;
}

// The resizes of a target that ran to its end with the agent watching.
std::vector<Json> resizes_of(const std::vector<std::string>& arguments,
                             const SpawnOptions& options = {}) {
  LiveTarget target(arguments, options);
  LiveAgent agent(target);
  EXPECT_EQ(target.run(), 0);
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
  std::vector<Json> resizes = agent.events("resize");
  EXPECT_EQ(resizes.size(), target.truth().growths.size());
  return resizes;
}

void expect_states_add_up(const std::vector<Json>& resizes) {
  for (const Json& resize : resizes) {
    const uint64_t wall_ns = resize.at("wall_ns");
    const uint64_t states_ns = sum_of_states(resize);
    const uint64_t apart_ns = wall_ns > states_ns ? wall_ns - states_ns : states_ns - wall_ns;
    EXPECT_LE(apart_ns, std::max<uint64_t>(wall_ns / 100, 20'000)) << resize;
  }
}

TEST(ThreadStates, AddUpToTheWallTimeOfIncrementalGrowths) {
  const auto resizes = resizes_of({"--inserts", "1000000"});
  EXPECT_GE(resizes.size(), 18U);
  expect_states_add_up(resizes);
}

TEST(ThreadStates, AddUpToTheWallTimeWhenThreadsCompete) {
  const auto resizes = resizes_of({"--inserts", "1000000", "--strategy", "mutex", "--threads", "8",
                                   "--growth", "stop_the_world"});
  EXPECT_GE(resizes.size(), 18U);
  expect_states_add_up(resizes);
}

TEST(ThreadStates, CompetitorOnTheSameCpuMakesTheThreadWaitForIt) {
  const SpawnOptions first_cpu{.cpu = 0};
  LiveTarget competitor({"--workload", "churn", "--seconds", "3600"}, first_cpu);
  competitor.begin();
  const auto resizes =
      resizes_of({"--inserts", "2000000", "--growth", "stop_the_world"}, first_cpu);
  expect_states_add_up(resizes);
  EXPECT_GT(sum_over(resizes, "runnable_ns"), 0U);
  EXPECT_GT(sum_over(resizes, "switches"), 0U);
  EXPECT_TRUE(competitor.process().running());
}

TEST(ThreadStates, SleepInsideAGrowthIsSleeping) {
  constexpr uint64_t kSleepNs = 20'000'000;
  const auto resizes = resizes_of({"--inserts", "20000", "--sleep-in-grow", "20000"});
  EXPECT_GE(resizes.size(), 10U);
  expect_states_add_up(resizes);
  std::vector<uint64_t> sleeping_ns;
  for (const Json& resize : resizes) {
    EXPECT_GE(resize.at("wall_ns"), kSleepNs) << resize;
    EXPECT_GE(resize.at("switches"), 1U) << resize;
    sleeping_ns.push_back(resize.at("sleeping_ns"));
  }
  // The end of the sleep is the wake-up; from then on the thread waits for a CPU. Each timer may be
  // late on a busy machine, and a CPU of a virtual machine that stands still on its way to sleep is
  // still running.
  const uint64_t median_ns = median(std::move(sleeping_ns));
  EXPECT_GE(median_ns, in_slow_machine() ? kSleepNs / 4 : kSleepNs - 100'000);
  if (!in_slow_machine()) {
    EXPECT_LE(median_ns, kSleepNs + 5'000'000);
  }
}

TEST(ThreadStates, LargeGrowthShowsItsPageFaults) {
  constexpr uint64_t kLarge = 16ULL << 20;
  const auto resizes =
      resizes_of({"--inserts", "2000000", "--growth", "stop_the_world"}, {.small_pages = true});
  size_t large = 0;
  for (const Json& resize : resizes) {
    const uint64_t new_bytes = resize.at("new_bytes");
    if (new_bytes < kLarge) continue;
    ++large;
    // Every page of the new table is touched for the first time.
    const uint64_t faults =
        resize.at("minor_faults").get<uint64_t>() + resize.at("major_faults").get<uint64_t>();
    EXPECT_GE(faults, new_bytes / kPageBytes * 8 / 10) << resize;
    EXPECT_LE(faults, new_bytes / kPageBytes * 12 / 10) << resize;
  }
  EXPECT_GE(large, 3U);
}

}  // namespace
}  // namespace mapscope::test
