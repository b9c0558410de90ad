// SPDX-License-Identifier: Apache-2.0
#include "agent/model/resize_model.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

Result<ResizeMeaning> take_fields(const ms_resize_record& record, MapTypes* /*types*/) {
  if (record.begin_fields[0] == 0) return Error{ErrorKind::kCorrupt, "no map"};
  ResizeMeaning meaning;
  meaning.kind = "grow";
  meaning.map_addr = record.begin_fields[0];
  meaning.new_slots = record.begin_fields[1];
  if (record.begin_fields[2] != 0) meaning.level = 2;
  meaning.map_type = record.begin_fields[3] == 0 ? "map[int]int" : "map[string]int";
  return meaning;
}

// A room of this test's own: the model must not know any real one.
const Runtime kRoom{"test_room", "", {}, {}, nullptr, take_fields, nullptr};

class ResizeModelTest : public ::testing::Test {
 protected:
  ResizeModelTest() {
    target_ = targets_.add(Target{});
    spec_.descriptor.key_field = 0;
    descriptor_ = *descriptors_.take(&kRoom, &spec_, &file_);
  }

  ms_resize_record record() const {
    ms_resize_record record{};
    record.header = {MS_RECORD_RESIZE, target_->id, 10, 11};
    record.begin_descriptor = static_cast<uint16_t>(descriptor_);
    record.begin_fields[0] = 0xc000;
    record.begin_ns = 1000;
    record.end_ns = 1500;
    record.end_tid = 11;
    return record;
  }

  ms_fatal_record fatal_of(uint64_t map) const {
    ms_fatal_record record{};
    record.header = {MS_RECORD_FATAL, target_->id, 10, 12};
    record.descriptor = static_cast<uint16_t>(descriptor_);
    record.map = map;
    return record;
  }

  TargetTable targets_;
  DescriptorTable descriptors_{4};
  ProbeSpec spec_;
  PlannedFile file_;
  Target* target_ = nullptr;
  uint32_t descriptor_ = 0;
  ResizeModel model_{targets_, descriptors_};
};

TEST_F(ResizeModelTest, WallIsEndMinusBegin) {
  const auto resize = model_.resize(record());
  ASSERT_TRUE(resize.ok());
  EXPECT_EQ(resize->wall_ns, 500U);
}

TEST_F(ResizeModelTest, SynchronousEndIsTheStall) {
  auto raw = record();
  raw.sync_ns = 1200;
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_EQ(resize->stall_ns, 200U);
}

TEST_F(ResizeModelTest, ResizeEndedByItsOwnThreadStalledForAllOfIt) {
  auto raw = record();
  raw.flags = MS_RESIZE_SYNC_PROBED;
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_EQ(resize->stall_ns, 500U);
}

TEST_F(ResizeModelTest, StallIsUnknownWhereItsEndIsNotProbed) {
  const auto resize = model_.resize(record());
  ASSERT_TRUE(resize.ok());
  EXPECT_FALSE(resize->stall_ns.has_value());
}

TEST_F(ResizeModelTest, StallIsUnknownWhenAnotherThreadEndedIt) {
  auto raw = record();
  raw.flags = MS_RESIZE_SYNC_PROBED;
  raw.end_tid = 12;
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_FALSE(resize->stall_ns.has_value());
}

TEST_F(ResizeModelTest, OneInsideACallStalledForAllOfItWhateverThreadEndedIt) {
  spec_.descriptor.key_field = MS_NO_FIELD;
  auto raw = record();
  raw.end_tid = 12;
  raw.flags = MS_RESIZE_STATES_UNKNOWN;
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_EQ(resize->stall_ns, 500U);
}

TEST_F(ResizeModelTest, UnknownThreadStatesAreAbsent) {
  auto raw = record();
  raw.flags = MS_RESIZE_STATES_UNKNOWN;
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_FALSE(resize->thread.has_value());
}

TEST_F(ResizeModelTest, PointHasNoDuration) {
  auto raw = record();
  raw.flags = MS_RESIZE_POINT;
  raw.end_ns = 0;
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_FALSE(resize->wall_ns.has_value());
}

TEST_F(ResizeModelTest, EndBeforeBeginIsRefused) {
  auto raw = record();
  raw.end_ns = 999;
  EXPECT_FALSE(model_.resize(raw).ok());
}

TEST_F(ResizeModelTest, UnknownTargetIsRefused) {
  auto raw = record();
  raw.header.target = 99;
  EXPECT_FALSE(model_.resize(raw).ok());
}

TEST_F(ResizeModelTest, UnknownDescriptorIsRefused) {
  auto raw = record();
  raw.begin_descriptor = 3;
  EXPECT_FALSE(model_.resize(raw).ok());
}

TEST_F(ResizeModelTest, ImpossibleValuesAreTheRoomsToRefuse) {
  auto raw = record();
  raw.begin_fields[0] = 0;
  const auto resize = model_.resize(raw);
  ASSERT_FALSE(resize.ok());
  EXPECT_EQ(resize.error().kind, ErrorKind::kCorrupt);
}

TEST_F(ResizeModelTest, CommWithoutTerminatorEndsWithItsField) {
  auto raw = record();
  std::memset(raw.comm, 'x', sizeof(raw.comm));
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_EQ(resize->comm, std::string(sizeof(raw.comm), 'x'));
}

// A stack of the map's own code and one line, which called from `address`.
StackPtr stack_at(uint64_t address, uint32_t line, uint32_t own_line = 0) {
  Stack stack;
  stack.frames.resize(3);
  stack.frames[0].map_code = true;
  stack.frames[1].function = "library.fill";
  stack.frames[1].line = line;
  stack.frames[1].address = address + 1;  // the return address
  stack.frames[2].function = "main.run";
  stack.frames[2].line = own_line;
  stack.site = 1;
  stack.own = own_line == 0 ? -1 : 2;
  return std::make_shared<const Stack>(std::move(stack));
}

TEST_F(ResizeModelTest, SampledStackIsJoined) {
  const StackPtr stack = stack_at(0x4000, 1);
  model_.remember_stack(1, 7, stack);
  auto raw = record();
  raw.stack_id = 7;
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_EQ(resize->stack, stack);
}

TEST_F(ResizeModelTest, StackThatItsTableLetGoOfIsNone) {
  model_.remember_stack(1, 7, stack_at(0x4000, 1));
  auto raw = record();
  raw.stack_id = 7;
  const auto resize = model_.resize(raw);
  ASSERT_TRUE(resize.ok());
  EXPECT_EQ(resize->stack, nullptr);
}

class CallerTest : public ResizeModelTest {
 protected:
  static constexpr uint64_t kBias = 0x550000000000;

  // As of a Go program: the caller is an address in the file.
  ms_resize_record walked(uint64_t caller, uint64_t bias = kBias) const {
    auto raw = record();
    raw.goroutine.g = 0xc000;
    raw.flags = MS_RESIZE_CALLER_IN_FILE;
    raw.caller = caller;
    raw.load_bias = bias;
    return raw;
  }
  Resize sample(ms_resize_record raw, const StackPtr& stack) {
    model_.remember_stack(1, ++last_stack_, stack);
    raw.stack_id = last_stack_;
    return model_.resize(raw).value();
  }
  Resize skip(const ms_resize_record& raw) { return model_.resize(raw).value(); }

  uint64_t last_stack_ = 0;
};

TEST_F(CallerTest, UnsampledResizeTakesTheLastStackOfItsCaller) {
  const StackPtr first = stack_at(kBias + 0x4000, 1);
  const StackPtr second = stack_at(kBias + 0x4000, 1);
  sample(walked(0x4000), first);
  sample(walked(0x4000), second);
  EXPECT_EQ(skip(walked(0x4000)).stack, second);
  EXPECT_EQ(skip(walked(0x4000)).caller, kBias + 0x4000);
}

TEST_F(CallerTest, IsTheSameWhereverItsFileIsLoaded) {
  const StackPtr stack = stack_at(kBias + 0x4000, 1);
  sample(walked(0x4000), stack);
  EXPECT_EQ(skip(walked(0x4000, 0x560000000000)).stack, stack);
  EXPECT_EQ(skip(walked(0x4000, 0x560000000000)).caller, 0x560000004000U);
}

TEST_F(CallerTest, AnotherCallerHasNoStackOfIts) {
  const StackPtr stack = stack_at(kBias + 0x4000, 1);
  sample(walked(0x4000), stack);
  EXPECT_EQ(skip(walked(0x4001)).stack, nullptr);
}

TEST_F(CallerTest, AnotherMapTypeHasNoStackOfIts) {
  const StackPtr stack = stack_at(kBias + 0x4000, 1);
  sample(walked(0x4000), stack);
  auto other = walked(0x4000);
  other.begin_fields[3] = 1;
  EXPECT_EQ(skip(other).stack, nullptr);
}

TEST_F(CallerTest, SiteThatIsNotInTheCallersFrameIsNotItsAnswer) {
  const StackPtr stack = stack_at(kBias + 0x3000, 1);
  EXPECT_EQ(sample(walked(0x4000), stack).stack, stack);
  EXPECT_EQ(skip(walked(0x4000)).stack, nullptr);
}

TEST_F(CallerTest, NativeCallerOfSeveralSitesIsNone) {
  auto raw = record();
  raw.caller = 0x4000;
  const StackPtr first = stack_at(0x3000, 1);
  sample(raw, first);
  EXPECT_EQ(skip(raw).stack, first);
  EXPECT_EQ(skip(raw).site_address(), 0U) << "a return address may be the map's own code";
  const StackPtr second = stack_at(0x3000, 2);
  sample(raw, second);
  EXPECT_EQ(skip(raw).stack, nullptr);
}

TEST_F(CallerTest, OwnFrameIsKnownWhileAllSamplesHaveTheSame) {
  const StackPtr first = stack_at(kBias + 0x4000, 1, 10);
  const StackPtr second = stack_at(kBias + 0x4000, 1, 20);
  sample(walked(0x4000), first);
  const Resize joined = skip(walked(0x4000));
  ASSERT_NE(joined.own_frame(), nullptr);
  EXPECT_EQ(joined.own_frame()->line, 10U);
  EXPECT_EQ(sample(walked(0x4000), second).own_frame()->line, 20U);
  EXPECT_EQ(skip(walked(0x4000)).own_frame(), nullptr);
  EXPECT_NE(skip(walked(0x4000)).stack, nullptr);
}

TEST_F(ResizeModelTest, FatalCarriesItsMessageAndMap) {
  ms_fatal_record raw = fatal_of(0xc000);
  std::strcpy(raw.text, "concurrent map writes");
  const auto fatal = model_.fatal(raw);
  ASSERT_TRUE(fatal.ok());
  EXPECT_EQ(fatal->message, "concurrent map writes");
  EXPECT_EQ(fatal->map_addr, 0xc000U);
  EXPECT_EQ(fatal->tid, 12U);
}

TEST_F(ResizeModelTest, FatalTellsTheMapsLastGrowth) {
  auto growth = record();
  growth.begin_fields[1] = 64;
  ASSERT_TRUE(model_.resize(growth).ok());
  auto fatal = model_.fatal(fatal_of(0xc000));
  ASSERT_TRUE(fatal.ok());
  EXPECT_EQ(fatal->last_growth_ns, 1000U);
  EXPECT_EQ(fatal->last_growth_slots, 64U);
  // The slots of one table of many are not the map's.
  growth.begin_ns = 1200;
  growth.begin_fields[2] = 1;
  ASSERT_TRUE(model_.resize(growth).ok());
  fatal = model_.fatal(fatal_of(0xc000));
  ASSERT_TRUE(fatal.ok());
  EXPECT_EQ(fatal->last_growth_ns, 1200U);
  EXPECT_FALSE(fatal->last_growth_slots.has_value());
  EXPECT_FALSE(fatal->growing);
  EXPECT_FALSE(model_.fatal(fatal_of(0xd000))->last_growth_ns.has_value());
}

TEST_F(ResizeModelTest, FatalTellsTheGrowthThatHadNotEnded) {
  auto growth = record();
  growth.begin_fields[1] = 64;
  ASSERT_TRUE(model_.resize(growth).ok());
  ms_fatal_record raw = fatal_of(0xc000);
  raw.growth_begin_ns = 5000;
  const auto fatal = model_.fatal(raw);
  ASSERT_TRUE(fatal.ok());
  EXPECT_TRUE(fatal->growing);
  EXPECT_EQ(fatal->last_growth_ns, 5000U);
  EXPECT_FALSE(fatal->last_growth_slots.has_value()) << "what it was to have is told at its end";
}

TEST(TargetTable, NumbersAreNeverUsedTwice) {
  TargetTable targets;
  const uint32_t first = targets.add(Target{})->id;
  targets.mark_gone(first);
  EXPECT_NE(targets.add(Target{})->id, first);
}

TEST(TargetTable, GoneTargetsAreForgottenOldestFirst) {
  TargetTable targets;
  for (size_t i = 0; i <= TargetTable::kMaxGone; ++i) targets.mark_gone(targets.add(Target{})->id);
  EXPECT_EQ(targets.find(1), nullptr);
  EXPECT_NE(targets.find(2), nullptr);
}

TEST(DescriptorTable, FullTableRefuses) {
  DescriptorTable table(1);
  ASSERT_TRUE(table.take(&kRoom, nullptr).ok());
  EXPECT_FALSE(table.take(&kRoom, nullptr).ok());
}

TEST(DescriptorTable, ReturnedIndexKeepsItsMeaningUntilTakenAgain) {
  DescriptorTable table(2);
  const uint32_t index = *table.take(&kRoom, nullptr);
  table.free()->give_back({index});
  EXPECT_EQ(table.find(index)->runtime, &kRoom);
  EXPECT_EQ(*table.take(nullptr, nullptr), index);
}

}  // namespace
}  // namespace mapscope
