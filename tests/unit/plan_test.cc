// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent/plan/probe_plan.h"
#include "agent/plan/site.h"
#include "agent/plan/site_class.h"
#include "tests/paths.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

constexpr KernelFacts kOld{6, 1};
constexpr KernelFacts kNew{6, 18};

Result<FunctionCode> shape(std::string_view name) {
  static const Result<Program> program = test::open_program(MAPSCOPE_FIXTURE_SHAPES);
  if (!program) return program.error();
  return read_function(*program, name);
}

// "+offset class", or the reason against it.
std::string describe(const FunctionCode& function, const ChosenSite& site) {
  return "+" + std::to_string(site.instruction->vaddr - function.symbol.vaddr) + " " +
         std::string(to_string(site.site_class));
}

std::string entry(std::string_view name, const KernelFacts& kernel = kOld) {
  const Result<FunctionCode> function = shape(name);
  if (!function) return function.error().text;
  const Result<ChosenSite> site = choose_entry(*function, kernel);
  return site ? describe(*function, *site) : site.error().text;
}

std::string exits(std::string_view name, const KernelFacts& kernel = kOld) {
  const Result<FunctionCode> function = shape(name);
  if (!function) return function.error().text;
  const Result<std::vector<ChosenSite>> sites = choose_exits(*function, kernel);
  if (!sites) return sites.error().text;
  std::string all;
  for (const ChosenSite& site : *sites)
    all += (all.empty() ? "" : ", ") + describe(*function, site);
  return all;
}

SiteClass class_of(std::initializer_list<uint8_t> bytes, const KernelFacts& kernel) {
  const std::vector<uint8_t> copy(bytes);
  const auto code = disassemble(std::as_bytes(std::span(copy)), 0x1000);
  return site_class(code.value().front(), kernel).value();
}

bool is_refused(std::initializer_list<uint8_t> bytes, const KernelFacts& kernel = kNew) {
  const std::vector<uint8_t> copy(bytes);
  const auto code = disassemble(std::as_bytes(std::span(copy)), 0x1000);
  return !site_class(code.value().front(), kernel).ok();
}

TEST(SiteClass, BranchesPushesAndShortNopsAreEmulated) {
  EXPECT_EQ(class_of({0x90}, kOld), SiteClass::kEmulated);
  EXPECT_EQ(class_of({0x66, 0x90}, kOld), SiteClass::kEmulated);
  EXPECT_EQ(class_of({0x55}, kOld), SiteClass::kEmulated);
  EXPECT_EQ(class_of({0x41, 0x54}, kOld), SiteClass::kEmulated);
  EXPECT_EQ(class_of({0xeb, 0x00}, kOld), SiteClass::kEmulated);
  EXPECT_EQ(class_of({0xe9, 0, 0, 0, 0}, kOld), SiteClass::kEmulated);
  EXPECT_EQ(class_of({0x74, 0x00}, kOld), SiteClass::kEmulated);
  EXPECT_EQ(class_of({0x0f, 0x86, 0, 0, 0, 0}, kOld), SiteClass::kEmulated);
  EXPECT_EQ(class_of({0xe8, 0, 0, 0, 0}, kOld), SiteClass::kEmulated);
}

TEST(SiteClass, OtherInstructionsAreSingleStepped) {
  EXPECT_EQ(class_of({0xc3}, kNew), SiteClass::kSingleStepped);
  EXPECT_EQ(class_of({0xf3, 0x0f, 0x1e, 0xfa}, kNew), SiteClass::kSingleStepped);
  EXPECT_EQ(class_of({0x48, 0x83, 0xec, 0x08}, kNew), SiteClass::kSingleStepped);
  EXPECT_EQ(class_of({0x6a, 0x01}, kNew), SiteClass::kSingleStepped);  // push imm8
  EXPECT_EQ(class_of({0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, kNew), SiteClass::kSingleStepped);
}

TEST(SiteClass, LongNopsDependOnTheKernel) {
  EXPECT_EQ(class_of({0x0f, 0x1f, 0x00}, kOld), SiteClass::kSingleStepped);
  EXPECT_EQ(class_of({0x0f, 0x1f, 0x00}, kNew), SiteClass::kEmulated);
}

// A forked child dies of a call that some kernels make of them.
TEST(SiteClass, FiveByteNopsAreRefusedOnEveryKernel) {
  for (const KernelFacts& kernel : {kOld, KernelFacts{6, 17}, kNew, KernelFacts{7, 3}}) {
    EXPECT_TRUE(is_refused({0x0f, 0x1f, 0x44, 0, 0}, kernel));
    EXPECT_TRUE(is_refused({0x66, 0x66, 0x66, 0x66, 0x90}, kernel));
    EXPECT_TRUE(is_refused({0x66, 0x0f, 0x1f, 0x40, 0x00}, kernel));
  }
}

TEST(SiteClass, WhatTheKernelRefusesIsRefused) {
  EXPECT_TRUE(is_refused({0xcc}));
  EXPECT_TRUE(is_refused({0xf4}));
  EXPECT_TRUE(is_refused({0xec}));
  EXPECT_TRUE(is_refused({0x0f, 0x05}));
  EXPECT_TRUE(is_refused({0x0f, 0x0b}));
  EXPECT_TRUE(is_refused({0xf0, 0x48, 0xff, 0x07}));
  EXPECT_TRUE(is_refused({0x2e, 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(is_refused({0x3e, 0xff, 0xe0}));
  EXPECT_TRUE(is_refused({0xc5, 0xf8, 0x57, 0xc0}));
}

TEST(Entry, ContractSymbolUsesTheShortNopOnEveryKernel) {
  for (const KernelFacts& kernel : {kOld, KernelFacts{6, 17}, kNew, KernelFacts{7, 3}})
    EXPECT_EQ(entry("nop_nop5", kernel), "+0 emulated");
}

TEST(Entry, PushAfterEndbrIsPreferred) { EXPECT_EQ(entry("endbr_push"), "+4 emulated"); }
TEST(Entry, PushAfterALoadIsPreferred) { EXPECT_EQ(entry("load_then_push"), "+3 emulated"); }
TEST(Entry, NothingIsPassedOnceTheStackMoved) {
  EXPECT_EQ(entry("stack_first"), "+0 single_stepped");
}

TEST(Entry, NothingIsPassedOnceAnArgumentChanged) {
  EXPECT_EQ(entry("argument_then_push"), "+0 single_stepped");
  EXPECT_EQ(entry("low_argument_then_push"), "+0 single_stepped");
}

TEST(Entry, NothingIsPassedOnceMemoryChanged) {
  EXPECT_EQ(entry("store_then_push"), "+0 single_stepped");
}

TEST(Entry, FirstInstructionInALoopIsRefused) {
  EXPECT_NE(entry("loop_at_entry").find("leads back to its entry"), std::string::npos);
}

TEST(Entry, LoopAfterTheEntryIsNotEntered) {
  EXPECT_EQ(entry("loop_after_entry"), "+0 single_stepped");
}

TEST(Entry, RefusedFirstInstructionLeavesNoSite) {
  EXPECT_NE(entry("locked_entry").find("cannot be probed"), std::string::npos);
  EXPECT_NE(entry("syscall_entry").find("cannot be probed"), std::string::npos);
}

TEST(Entry, RefusedNopIsPassed) { EXPECT_EQ(entry("cs_nop_then_nop"), "+10 emulated"); }
TEST(Entry, FiveByteNopIsPassed) { EXPECT_EQ(entry("page_end", kNew), "+5 single_stepped"); }
TEST(Entry, FunctionWithoutSizeIsRefused) {
  EXPECT_NE(entry("no_size").find("no size"), std::string::npos);
}
TEST(Entry, TailCallDoesNotMatter) { EXPECT_EQ(entry("tail_call"), "+0 emulated"); }

TEST(Exit, EveryReturnHasAProbe) { EXPECT_EQ(exits("two_returns"), "+5 emulated, +7 emulated"); }
TEST(Exit, ReturnThatIsJumpedToIsProbedItself) {
  EXPECT_EQ(exits("jump_to_return"), "+6 single_stepped");
}
TEST(Exit, ReturnWithoutANopIsProbedItself) { EXPECT_EQ(exits("endbr_push"), "+9 single_stepped"); }

TEST(Exit, FiveByteNopIsLeftAlone) {
  EXPECT_EQ(exits("nop5_before_return", kNew), "+8 single_stepped");
}

TEST(Exit, TailCallIsRefused) {
  EXPECT_NE(exits("tail_call").find("another function"), std::string::npos);
  EXPECT_NE(exits("conditional_tail_call").find("another function"), std::string::npos);
}

TEST(Exit, ComputedJumpIsRefused) {
  EXPECT_NE(exits("computed_jump").find("computed jump"), std::string::npos);
}
TEST(Exit, FunctionWithoutReturnIsRefused) {
  EXPECT_NE(exits("never_returns").find("never returns"), std::string::npos);
}

TEST(KernelFacts, ReleaseIsParsed) {
  EXPECT_EQ(parse_kernel("6.1").value().minor, 1);
  EXPECT_EQ(parse_kernel("6.18.3-whatever").value().minor, 18);
  EXPECT_TRUE(parse_kernel("6.18.3-whatever").value().emulates_long_nops());
  EXPECT_FALSE(parse_kernel("6.5").value().has_uprobe_multi());
  EXPECT_TRUE(parse_kernel("7.0").value().has_uprobe_multi());
}

TEST(KernelFacts, OtherTextIsAUsageError) {
  for (const char* text : {"", "6", "6.", "six.one", "-6.1", "6.-1", ".", "99999999999.1"}) {
    const Result<KernelFacts> facts = parse_kernel(text);
    ASSERT_FALSE(facts) << text;
    EXPECT_EQ(facts.error().kind, ErrorKind::kUsage);
  }
}

TEST(KernelFacts, RunningKernelIsKnown) {
  const Result<KernelFacts> facts = running_kernel();
  ASSERT_TRUE(facts) << facts.error().text;
  EXPECT_GE(facts->major, 4);
}

}  // namespace
}  // namespace mapscope
