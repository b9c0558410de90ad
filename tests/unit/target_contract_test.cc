// SPDX-License-Identifier: Apache-2.0
// The bytes and the behaviour that target/map/mapscope_map.h promises.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "target/map/hash_map.h"

namespace mapscope {
namespace {

template <typename Function>
std::vector<uint8_t> code_of(Function* function, size_t bytes) {
  const auto* code = reinterpret_cast<const uint8_t*>(function);
  return {code, code + bytes};
}

const std::vector<uint8_t> kEntry = {0x90, 0xe9};  // nop, jmp

TEST(Contract, InsertEntryIsAShortNop) { EXPECT_EQ(code_of(&mapscope_map_insert, 2), kEntry); }
TEST(Contract, GrowEntryIsAShortNop) {
  EXPECT_EQ(code_of(&mapscope_map_grow, 1), std::vector<uint8_t>{0x90});
}
TEST(Contract, EvacuateEntryIsAShortNop) { EXPECT_EQ(code_of(&mapscope_map_evacuate, 2), kEntry); }
TEST(Contract, FinishEntryIsAShortNop) {
  EXPECT_EQ(code_of(&mapscope_map_finish_growth, 2), kEntry);
}
TEST(Contract, FatalEntryIsAShortNop) { EXPECT_EQ(code_of(&mapscope_map_fatal, 2), kEntry); }

TEST(Contract, GrowSpansItsReturnWithNopBeforeRet) {
  std::vector<uint8_t> code = code_of(&mapscope_map_grow, 16);
  std::memset(&code[6], 0, 4);                                         // the call's displacement
  EXPECT_EQ(code, (std::vector<uint8_t>{0x90,                          // nop
                                        0x48, 0x83, 0xec, 0x08,        // sub $8,%rsp
                                        0xe8, 0x00, 0x00, 0x00, 0x00,  // call
                                        0x48, 0x83, 0xc4, 0x08,        // add $8,%rsp
                                        0x90, 0xc3}));                 // nop, ret
}

TEST(Contract, NopsStayWithinOneCacheLine) {
  EXPECT_EQ(reinterpret_cast<uintptr_t>(&mapscope_map_insert) % 16, 0U);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(&mapscope_map_grow) % 16, 0U);
}

// Misuses the map from inside a write: while its first growth begins.
class Misuse : public HashMapObserver {
 public:
  explicit Misuse(std::function<void(const HashMap&)> action) : action_(std::move(action)) {}
  GrowthTimes* growth_begins(const HashMap& map, const mapscope_growth& /*growth*/) override {
    action_(map);
    return &times_;
  }
  void allocated(uint64_t /*bytes*/) override {}
  void map_dies(const char* message) override { std::fprintf(stderr, "observed: %s\n", message); }

 private:
  std::function<void(const HashMap&)> action_;
  GrowthTimes times_;
};

void misuse(const std::function<void(HashMap&)>& action) {
  HashMap* writable = nullptr;
  Misuse observer([&](const HashMap&) { action(*writable); });
  HashMap map({.observer = &observer});
  writable = &map;
  for (uint64_t key = 0; key < 9; ++key) map.insert(key, key);
}

constexpr char kWrites[] =
    "^fatal error: concurrent map writes\nobserved: concurrent map writes\n$";

TEST(FatalDeathTest, InsertDuringWriteDiesWithStatus2) {
  EXPECT_EXIT(misuse([](HashMap& map) { map.insert(1, 1); }), testing::ExitedWithCode(2), kWrites);
}
TEST(FatalDeathTest, EraseDuringWriteDiesWithStatus2) {
  EXPECT_EXIT(misuse([](HashMap& map) { map.erase(1); }), testing::ExitedWithCode(2), kWrites);
}
TEST(FatalDeathTest, ClearDuringWriteDiesWithStatus2) {
  EXPECT_EXIT(misuse([](HashMap& map) { map.clear(); }), testing::ExitedWithCode(2), kWrites);
}
TEST(FatalDeathTest, FindDuringWriteDiesWithStatus2) {
  EXPECT_EXIT(misuse([](HashMap& map) { EXPECT_TRUE(map.find(1)); }), testing::ExitedWithCode(2),
              "^fatal error: concurrent map read and map write\n");
}
TEST(FatalDeathTest, IterateDuringWriteDiesWithStatus2) {
  EXPECT_EXIT(misuse([](HashMap& map) { EXPECT_TRUE(HashMap::Iterator(map).next()); }),
              testing::ExitedWithCode(2), "^fatal error: concurrent map iteration and map write\n");
}

}  // namespace
}  // namespace mapscope
