// SPDX-License-Identifier: Apache-2.0
// Who waited behind a growth, and how long: the agent's view of the futexes against what the
// waiting threads measured themselves.
//
// A thread waits for itself from before its system call until it runs again, for the agent from
// when it left the CPU until it was woken: after that it waits for a CPU. So growths that are not
// longer than a turn on a CPU are left out, the target goes before what else the machine does, and
// the bounds are shares of what is left.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

constexpr uint64_t kLongNs = 5'000'000;
// A CPU of a virtual machine stands still while the host runs something else: between the two
// views of a wait, too.
double time_share() { return in_slow_machine() ? 0.5 : 0.1; }
double agreeing_share() { return in_slow_machine() ? 0.7 : 0.9; }

struct Waits {
  size_t growths = 0;
  size_t agreeing = 0;  // on the number of threads, give or take one
  uint64_t true_threads = 0;
  uint64_t true_ns = 0;
  uint64_t seen_ns = 0;
};

Waits waits_of(const std::vector<Growth>& truth, const std::vector<Growth>& seen) {
  Waits waits;
  for (size_t i = 0; i < truth.size(); ++i) {
    if (truth[i].stall_ns.value() < kLongNs) continue;
    const uint64_t true_threads = truth[i].blocked_threads.value();
    const uint64_t seen_threads = seen[i].blocked_threads.value();
    ++waits.growths;
    if (true_threads <= seen_threads + 1 && seen_threads <= true_threads + 1) ++waits.agreeing;
    EXPECT_LE(seen_threads, 7U) << seen[i];  // the eighth is the one that grows the map
    waits.true_threads += true_threads;
    waits.true_ns += truth[i].blocked_ns.value();
    waits.seen_ns += seen[i].blocked_ns.value();
  }
  return waits;
}

void expect_waits_agree(const std::vector<std::string>& arguments, size_t least_growths) {
  std::vector<std::string> all = {"--threads", "8", "--growth", "stop_the_world"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  LiveTarget target(all, {.urgent = true});
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const Truth truth = target.truth();
  std::vector<Growth> seen = agent.growths();
  sort_by_begin(seen);
  ASSERT_EQ(difference(truth.growths, seen), "");

  const Waits waits = waits_of(truth.growths, seen);
  testing::Test::RecordProperty("growths", static_cast<int>(waits.growths));
  testing::Test::RecordProperty("agreeing", static_cast<int>(waits.agreeing));
  testing::Test::RecordProperty("true_blocked_us", static_cast<int>(waits.true_ns / 1000));
  testing::Test::RecordProperty("seen_blocked_us", static_cast<int>(waits.seen_ns / 1000));
  EXPECT_GE(waits.growths, least_growths);
  EXPECT_GT(waits.true_threads, 0U);
  EXPECT_GE(static_cast<double>(waits.agreeing),
            agreeing_share() * static_cast<double>(waits.growths));
  EXPECT_NEAR(static_cast<double>(waits.seen_ns), static_cast<double>(waits.true_ns),
              time_share() * static_cast<double>(waits.true_ns));
}

TEST(BlockedThreads, WaitForAMutexWhileTheMapGrows) {
  expect_waits_agree({"--strategy", "mutex", "--seconds", "4", "--keys", "1000000"}, 3);
}

TEST(BlockedThreads, WaitForAMutexWhileTheGrowthSleeps) {
  expect_waits_agree({"--strategy", "mutex", "--inserts", "100000", "--sleep-in-grow", "20000"},
                     10);
}

TEST(BlockedThreads, WaitForASharedMutexWhileTheMapGrows) {
  expect_waits_agree({"--strategy", "shared_mutex", "--seconds", "4", "--keys", "1000000"}, 3);
}

TEST(BlockedThreads, ReadersWaitForASharedMutexWhileTheGrowthSleeps) {
  expect_waits_agree({"--strategy", "shared_mutex", "--inserts", "100000", "--read-share", "0.5",
                      "--sleep-in-grow", "20000"},
                     10);
}

TEST(BlockedThreads, NobodyWaitsBehindOneThread) {
  LiveTarget target({"--strategy", "mutex", "--inserts", "100000", "--sleep-in-grow", "5000"});
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const std::vector<Growth> seen = agent.growths();
  EXPECT_GE(seen.size(), 10U);
  for (const Growth& growth : seen) {
    EXPECT_EQ(growth.blocked_threads, 0U) << growth;
    EXPECT_EQ(growth.blocked_ns, 0U) << growth;
  }
}

}  // namespace
}  // namespace mapscope::test
