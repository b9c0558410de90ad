// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "agent/insert_totals.h"

namespace mapscope {
namespace {

InsertTotals some(const std::string& process, uint64_t count) {
  InsertTotal total;
  total.count = count;
  return {{{{process, "room", {}, {}}, "map[int]int"}, total}};
}

bool nobody(const ProcessLabels&) { return false; }

TEST(PastInserts, AddUpUntilTheyExpire) {
  PastInserts past;
  past.add(some("store", 3));
  past.add(some("store", 4));
  past.expire(1, nobody);
  ASSERT_EQ(past.totals().size(), 1U);
  EXPECT_EQ(past.totals().begin()->second.count, 7U);
  past.expire(PastInserts::kKeptNs, nobody);
  EXPECT_EQ(past.totals().size(), 1U);
  past.expire(1 + PastInserts::kKeptNs, nobody);
  EXPECT_TRUE(past.totals().empty());
}

TEST(PastInserts, StayWhileAProcessOfTheNameLives) {
  PastInserts past;
  past.add(some("store", 3));
  past.add(some("dead", 3));
  const auto is_store = [](const ProcessLabels& labels) { return labels.process == "store"; };
  past.expire(1, is_store);
  past.expire(1 + PastInserts::kKeptNs, is_store);
  past.expire(2 + 2 * PastInserts::kKeptNs, is_store);
  ASSERT_EQ(past.totals().size(), 1U);
  EXPECT_EQ(past.totals().begin()->first.first.process, "store");
}

TEST(PastInserts, BeyondTheCapAreAddedUpAsOther) {
  PastInserts past;
  for (size_t i = 0; i < PastInserts::kMaxKept + 10; ++i) past.add(some(std::to_string(i), 1));
  EXPECT_EQ(past.totals().size(), PastInserts::kMaxKept + 1);
  EXPECT_EQ(past.totals().at({{"other", "other", {}, {}}, "other"}).count, 10U);
}

}  // namespace
}  // namespace mapscope
