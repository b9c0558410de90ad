// SPDX-License-Identifier: Apache-2.0
// What probes cost by the meter, and when that is over the budget.
#include "agent/overhead/budget.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr double kSecond = 1e9;

TEST(Overhead, IsHitsTimesCostAndThePrograms) {
  const ProbeCosts costs{700, 900, 10'000};
  ProbeUse use;
  EXPECT_EQ(overhead_ns(use, costs), 0);
  use.hits = {10, 100};
  use.program_ns = 7;
  EXPECT_EQ(overhead_ns(use, costs), 10 * 800 + 100 * 10'000 + 7);
}

TEST(Budget, WhatIsBelowItGoesOnForEver) {
  Budget budget(0.01);
  for (int second = 0; second < 1000; ++second)
    ASSERT_FALSE(budget.spend(0.01 * kSecond, kSecond)) << second;
}

TEST(Budget, ABurstPassesAndAStormDoesNot) {
  Budget budget(0.01);
  EXPECT_FALSE(budget.spend(0.09 * kSecond, 0.1 * kSecond));
  for (int second = 0; second < 10; ++second) EXPECT_FALSE(budget.spend(0, kSecond));
  EXPECT_FALSE(budget.spend(0.09 * kSecond, 0.1 * kSecond)) << "it was saved up again";
  EXPECT_TRUE(budget.spend(0.09 * kSecond, 0.1 * kSecond));
}

TEST(Budget, NoMoreIsSavedUpThanTenSecondsGive) {
  Budget budget(0.01);
  for (int second = 0; second < 1000; ++second) EXPECT_FALSE(budget.spend(0, kSecond));
  EXPECT_FALSE(budget.spend(0.1 * kSecond, 0));
  EXPECT_TRUE(budget.spend(1, 0));
}

TEST(Budget, BeginsAnewWhenRefilled) {
  Budget budget(0.5);
  EXPECT_TRUE(budget.spend(6 * kSecond, 0));
  budget.refill();
  EXPECT_FALSE(budget.spend(4 * kSecond, 0));
}

TEST(Budget, NoneIsNoLimit) {
  Budget budget(0);
  EXPECT_FALSE(budget.spend(1000 * kSecond, 0));
}

}  // namespace
}  // namespace mapscope
