// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/stack_table.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/symbolize/lru_cache.h"

namespace mapscope::test {
namespace {

Stack stack_of(const std::string& function) {
  Stack stack;
  stack.frames.resize(1);
  stack.frames[0].function = function;
  return stack;
}

TEST(StackTable, AddressesKnownReturnsTheSameObject) {
  StackTable table;
  const std::vector<uint64_t> addresses = {1, 2, 3};
  const StackPtr inserted = table.insert({1, 0, "map", addresses}, stack_of("f"));
  ASSERT_NE(inserted, nullptr);
  const std::vector<uint64_t> equal = {1, 2, 3};
  EXPECT_EQ(table.find({1, 0, "map", equal}), inserted);
}

TEST(StackTable, AnyPartOfTheKeyDiffersFindsNothing) {
  StackTable table;
  const std::vector<uint64_t> addresses = {1, 2, 3};
  const std::vector<uint64_t> longer = {1, 2, 3, 4};
  table.insert({1, 0, "map", addresses}, stack_of("f"));
  EXPECT_EQ(table.find({2, 0, "map", addresses}), nullptr);
  EXPECT_EQ(table.find({1, 1, "map", addresses}), nullptr);
  EXPECT_EQ(table.find({1, 0, "other", addresses}), nullptr);
  EXPECT_EQ(table.find({1, 0, "map", longer}), nullptr);
}

TEST(StackTable, ManyInsertionsLeaveStacksInPlace) {
  StackTable table;
  const std::vector<uint64_t> first = {7};
  const StackPtr stack = table.insert({1, 0, "", first}, stack_of("first"));
  for (uint64_t i = 0; i < 20'000; ++i) {
    const std::vector<uint64_t> addresses = {i, i + 1};
    ASSERT_NE(table.insert({1, 0, "", addresses}, stack_of("other")), nullptr);
  }
  EXPECT_EQ(table.find({1, 0, "", first}), stack);
  EXPECT_EQ(stack->frames[0].function, "first");
}

TEST(StackTable, FullLetsGoOfTheOneNotAskedForLongest) {
  StackTable table(2);
  const std::vector<std::vector<uint64_t>> keys = {{1}, {2}, {3}};
  const StackPtr first = table.insert({1, 0, "", keys[0]}, stack_of("first"));
  const StackPtr second = table.insert({1, 0, "", keys[1]}, stack_of("second"));
  EXPECT_EQ(table.find({1, 0, "", keys[0]}), first);
  ASSERT_NE(table.insert({1, 0, "", keys[2]}, stack_of("third")), nullptr);
  EXPECT_EQ(table.find({1, 0, "", keys[0]}), first);
  EXPECT_EQ(table.find({1, 0, "", keys[1]}), nullptr);
  EXPECT_EQ(table.evicted(), 1U);
  EXPECT_EQ(table.refused(), 0U);
  EXPECT_EQ(second->frames[0].function, "second") << "whoever holds it keeps it";
}

// Of 64 frames each and of texts that differ, far more than fit.
TEST(StackTable, DeepStacksNeverTakeMoreThanTheBytes) {
  constexpr size_t kBytes = 1U << 20;
  StackTable table(65'536, kBytes);
  for (uint64_t i = 0; i < 2'000; ++i) {
    Stack stack;
    stack.frames.resize(64);
    for (Frame& frame : stack.frames) frame.function = "f" + std::to_string(i);
    const std::vector<uint64_t> addresses = {i};
    ASSERT_NE(table.insert({1, 0, "", addresses}, std::move(stack)), nullptr);
    ASSERT_LE(table.bytes(), kBytes + (8U << 10));
  }
  EXPECT_GT(table.evicted(), 1000U);
  EXPECT_GT(table.size(), 100U);
  const std::vector<uint32_t> all = {1};
  table.forget(all);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.bytes(), 0U);
}

TEST(StackTable, EqualTextsAreOne) {
  StackTable table;
  const std::vector<uint64_t> first = {1};
  const std::vector<uint64_t> second = {2};
  const StackPtr a = table.insert({1, 0, "", first}, stack_of("main.f"));
  const StackPtr b = table.insert({1, 0, "", second}, stack_of("main.f"));
  EXPECT_EQ(a->frames[0].function.view().data(), b->frames[0].function.view().data());
}

TEST(StackTable, BytesFullRefusesAndCounts) {
  StackTable table(1000, 64U << 10);
  const std::vector<uint64_t> addresses = {1};
  EXPECT_EQ(table.insert({1, 0, "", addresses}, stack_of(std::string(64U << 10, 'f'))), nullptr);
  EXPECT_EQ(table.refused(), 1U);
  EXPECT_EQ(table.bytes(), 0U);
}

TEST(LruCache, FullForgetsTheLeastRecentlyUsed) {
  LruCache<int, std::string> cache(2);
  cache.insert(1, "one");
  cache.insert(2, "two");
  ASSERT_NE(cache.find(1), nullptr);
  cache.insert(3, "three");
  EXPECT_EQ(cache.find(2), nullptr);
  ASSERT_NE(cache.find(1), nullptr);
  EXPECT_EQ(*cache.find(1), "one");
  EXPECT_EQ(cache.size(), 2U);
}

}  // namespace
}  // namespace mapscope::test
