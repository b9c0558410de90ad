// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/runtimes/go_classic/probes.h"
#include "agent/runtimes/go_classic/room.h"

namespace mapscope {
namespace {

using go_classic::BeginField;
using go_classic::probes_of;
using go_classic::runtime;

// Of a map with 2^log2 buckets that holds so many entries.
ms_resize_record grow_record(uint64_t log2, uint64_t count) {
  ms_resize_record record{};
  record.begin_valid = 0x3f;
  record.end_valid = 1;
  record.begin_fields[BeginField::kMap] = 0xc000012340;
  record.begin_fields[BeginField::kCount] = count;
  record.begin_fields[BeginField::kLog2] = log2;
  return record;
}

ResizeMeaning meaning_of(const ms_resize_record& record) {
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  EXPECT_TRUE(meaning) << meaning.error().text;
  return meaning ? *meaning : ResizeMeaning{};
}

ErrorKind refusal(const ms_resize_record& record) {
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  return meaning ? ErrorKind::kUsage : meaning.error().kind;  // kUsage: it was accepted
}

TEST(GoClassic, GrowIsUnderstood) {
  const ResizeMeaning meaning = meaning_of(grow_record(5, 208));
  EXPECT_EQ(meaning.kind, "grow");
  EXPECT_EQ(meaning.trigger, "load");
  EXPECT_EQ(meaning.map_addr, 0xc000012340U);
  EXPECT_EQ(meaning.old_slots, 256U);
  EXPECT_EQ(meaning.new_slots, 512U);
  EXPECT_EQ(meaning.entries, 208U);
  EXPECT_FALSE(meaning.ended_by_clear);
  EXPECT_FALSE(meaning.new_bytes);
  EXPECT_EQ(meaning.map_type, "");
}

// Counts at which 1.23 was seen to double, one below, and what then must be the reason.
TEST(GoClassic, DoublesWithTheEntryThatIsTooMany) {
  const std::pair<uint64_t, uint64_t> seen[] = {{0, 8},   {1, 13},  {2, 26},    {3, 52},
                                                {4, 104}, {6, 416}, {12, 26624}};
  for (const auto& [log2, count] : seen) {
    EXPECT_EQ(meaning_of(grow_record(log2, count)).kind, "grow") << log2;
    ms_resize_record record = grow_record(log2, count - 1);
    EXPECT_EQ(refusal(record), ErrorKind::kCorrupt) << log2;
    record.begin_fields[BeginField::kOverflow] = 1ULL << std::min<uint64_t>(log2, 15);
    EXPECT_EQ(meaning_of(record).kind, "same_size") << log2;
  }
}

TEST(GoClassic, SameSizeIsUnderstood) {
  ms_resize_record record = grow_record(8, 1000);
  record.begin_fields[BeginField::kOverflow] = 256;
  const ResizeMeaning meaning = meaning_of(record);
  EXPECT_EQ(meaning.kind, "same_size");
  EXPECT_EQ(meaning.trigger, "overflow");
  EXPECT_EQ(meaning.old_slots, 2048U);
  EXPECT_EQ(meaning.new_slots, 2048U);
}

TEST(GoClassic, OverflowOfHugeMapsIsHeldAgainst32768) {
  ms_resize_record record = grow_record(20, 1000);
  record.begin_fields[BeginField::kOverflow] = 32768;
  EXPECT_EQ(meaning_of(record).kind, "same_size");
  record.begin_fields[BeginField::kOverflow] = 32767;
  EXPECT_EQ(refusal(record), ErrorKind::kCorrupt);
}

TEST(GoClassic, EndOfMapclearIsTold) {
  ms_resize_record record = grow_record(5, 208);
  record.end_valid = 7;
  EXPECT_TRUE(meaning_of(record).ended_by_clear);
  record.end_valid = 3;  // a step that found nothing left
  EXPECT_FALSE(meaning_of(record).ended_by_clear);
}

TEST(GoClassic, UnreadOverflowIsNoReasonAgainstSameSize) {
  ms_resize_record record = grow_record(8, 1000);
  record.begin_valid &= static_cast<uint8_t>(~(1U << BeginField::kOverflow));
  EXPECT_EQ(meaning_of(record).kind, "same_size");
}

TEST(GoClassic, UnreadSizeIsCorrupt) {
  for (const BeginField field : {BeginField::kCount, BeginField::kLog2}) {
    ms_resize_record record = grow_record(5, 208);
    record.begin_valid &= static_cast<uint8_t>(~(1U << field));
    EXPECT_EQ(refusal(record), ErrorKind::kCorrupt) << field;
  }
}

TEST(GoClassic, SizesBeyondMemoryAreCorrupt) {
  EXPECT_EQ(refusal(grow_record(49, 208)), ErrorKind::kCorrupt);
  EXPECT_EQ(refusal(grow_record(255, 208)), ErrorKind::kCorrupt);
  EXPECT_EQ(refusal(grow_record(5, UINT64_MAX)), ErrorKind::kCorrupt);
  EXPECT_EQ(refusal(grow_record(5, 1ULL << 48)), ErrorKind::kCorrupt);
}

TEST(GoClassic, MapCodeIsTheRuntimesAndReflects) {
  const auto is_map_code = runtime().is_map_code;
  EXPECT_TRUE(is_map_code("runtime.mapassign_faststr", "map[string]int"));
  EXPECT_TRUE(is_map_code("reflect.Value.SetMapIndex", ""));
  EXPECT_TRUE(is_map_code("sync.(*Map).Store", ""));
  EXPECT_TRUE(is_map_code("sync/atomic.(*Value).Store", ""));
  EXPECT_TRUE(is_map_code("maps.Clone[go.shape.map[string]int]", ""));
  EXPECT_TRUE(is_map_code("internal/runtime/maps.(*table).rehash", ""));
  EXPECT_TRUE(is_map_code("internal/sync.(*HashTrieMap[...]).expand", ""));
  EXPECT_FALSE(is_map_code("internal/godebug.lookup", ""));
  EXPECT_FALSE(is_map_code("main.(*Store).Put", "map[string]int"));
  EXPECT_FALSE(is_map_code("example.com/maps.Clone", ""));
  EXPECT_FALSE(is_map_code("", ""));
}

const ProbeSpec& spec_of(std::span<const ProbeSpec> probes, ms_probe_kind kind) {
  return *std::find_if(probes.begin(), probes.end(),
                       [&](const ProbeSpec& spec) { return spec.descriptor.kind == kind; });
}

TEST(GoClassic, ArgumentsAreInRegistersSince117) {
  const ms_descriptor& on_stack = spec_of(probes_of({1, 16, 15}), MS_PROBE_BEGIN).descriptor;
  EXPECT_EQ(on_stack.fields[BeginField::kMap].reg, MS_REG_SP);
  EXPECT_EQ(on_stack.fields[BeginField::kMap].offset[0], 16);
  EXPECT_EQ(on_stack.fields[BeginField::kLog2].derefs, 2);
  const ms_descriptor& in_register = spec_of(probes_of({1, 17, 0}), MS_PROBE_BEGIN).descriptor;
  EXPECT_EQ(in_register.fields[BeginField::kMap].reg, MS_REG_BX);
  EXPECT_EQ(in_register.fields[BeginField::kLog2].derefs, 1);
  EXPECT_EQ(in_register.fields[BeginField::kLog2].offset[0], 9);
}

TEST(GoClassic, DiesInAFunctionOfItsOwnSince119) {
  EXPECT_EQ(spec_of(probes_of({1, 15, 0}), MS_PROBE_FATAL).symbol, "runtime.throw");
  EXPECT_EQ(spec_of(probes_of({1, 18, 10}), MS_PROBE_FATAL).symbol, "runtime.throw");
  EXPECT_EQ(spec_of(probes_of({1, 19, 0}), MS_PROBE_FATAL).symbol, "runtime.fatal");
}

}  // namespace
}  // namespace mapscope
