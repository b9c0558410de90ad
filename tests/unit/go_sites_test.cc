// SPDX-License-Identifier: Apache-2.0
// Sites in functions as the Go compiler makes them, and in such as it does not.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "agent/plan/choose_sites.h"
#include "agent/plan/inlined.h"
#include "agent/plan/probe_plan.h"
#include "agent/runtimes/descriptor.h"
#include "tests/support/go_shape.h"

namespace mapscope {
namespace {

using test::GoNames;

constexpr KernelFacts kKernel{6, 18};
constexpr const char* kStackArguments = "go1.16.3";

struct Question {
  ProbeSpec spec;
  GoNames names;
  std::string version = "go1.23.5";
};

std::string place_text(const Place& place) {
  return place.reg == Register::kNone ? "stack+" + std::to_string(place.stack_offset)
                                      : "r" + std::to_string(static_cast<int>(place.reg));
}

// "+4 emulated", with what was found; or the reason against it.
std::string ask(const std::string& shape, const Question& question) {
  const Result<Program> program = test::make_go_shape(shape, question.names, question.version);
  if (!program) return program.error().text;
  const auto function = read_function(*program, question.names.main);
  if (!function) return function.error().text;
  const auto sites = choose_sites(*program, *function, question.spec, {}, kKernel);
  if (!sites) return sites.error().text;
  std::string text;
  for (const ChosenSite& site : *sites) {
    text += (text.empty() ? "+" : ", +") +
            std::to_string(site.instruction->vaddr - function->symbol.vaddr) + " " +
            std::string(to_string(site.site_class));
    if (site.skip_eflags != 0) text += " skip " + std::to_string(site.skip_eflags);
    if (!site.is_return_on_top) text += " inside";
    if (site.found) text += " " + place_text(*site.found);
  }
  return text;
}

std::string entry(const std::string& shape, const std::string& version = "go1.23.5") {
  Question question;
  question.names.growth = "runtime.morestack_noctxt";
  question.version = version;
  return ask(shape, question);
}

std::string cleared(const std::string& shape) {
  Question question;
  question.spec.site = Site::kPointerCleared;
  question.spec.offset = 24;
  question.names.last = "runtime.gcWriteBarrier";
  return ask(shape, question);
}

std::string last_check(const std::string& shape) {
  Question question;
  question.spec.site = Site::kLastCheck;
  question.spec.callee = question.names.last = "runtime.fatal";
  return ask(shape, question);
}

constexpr ms_field kFound = reg(MS_REG_FOUND);

// The second argument, at each exit or call.
std::string argument(const std::string& shape, Site site, ms_field field = kFound,
                     const std::string& version = "go1.23.5") {
  Question question;
  question.spec.site = site;
  question.spec.callee = question.names.last = "runtime.makemap";
  question.spec.argument = 1;
  question.spec.descriptor.field_count = 1;
  question.spec.descriptor.fields[0] = field;
  question.version = version;
  return ask(shape, question);
}

std::string exits_after_change(const std::string& shape, Site site) {
  Question question;
  question.spec.site = site;
  question.spec.offset = 4;
  return ask(shape, question);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(GoEntry, PushBehindTheCheckIsTheSite) {
  EXPECT_EQ(entry("entry_push"), "+6 emulated");
  EXPECT_EQ(entry("entry_large"), "+11 emulated");
}

TEST(GoEntry, WithoutAPushItIsTheJumpNotTaken) {
  EXPECT_EQ(entry("entry_sub"), "+4 emulated skip 65");
}

TEST(GoEntry, ChecksBefore117AreKnown) {
  EXPECT_EQ(entry("entry_tls", "go1.15.15"), "+13 emulated skip 65");
  EXPECT_EQ(entry("entry_tls_pie", "go1.15.15"), "+20 emulated skip 65");
}

TEST(GoEntry, FunctionWithoutCheckIsProbedAtItsFirstInstruction) {
  EXPECT_EQ(entry("entry_nosplit"), "+0 emulated");
}

TEST(GoEntry, LastByteOfAJumpIsNoPadding) { EXPECT_EQ(entry("entry_ends_in_int3"), "+6 emulated"); }

TEST(GoEntry, JumpsBackAreRefused) {
  EXPECT_TRUE(contains(entry("entry_again"), "count twice")) << entry("entry_again");
  EXPECT_TRUE(contains(entry("push_again"), "count twice")) << entry("push_again");
}

TEST(GoEntry, OtherTailsAreRefused) {
  for (const char* shape : {"tail_goes_on", "tail_calls_other"})
    EXPECT_TRUE(contains(entry(shape), "does not start again")) << entry(shape);
}

TEST(GoEntry, UnknownChecksAreRefused) {
  for (const char* shape : {"check_in_argument", "check_of_other_offset"})
    EXPECT_TRUE(contains(entry(shape), "unknown check")) << entry(shape);
}

TEST(PointerCleared, JumpBeforeBothWaysIsTheSite) {
  EXPECT_EQ(cleared("cleared"), "+12 emulated inside r0");
  EXPECT_EQ(cleared("cleared_by_barrier"), "+12 emulated inside r0");
  EXPECT_EQ(cleared("cleared_by_barrier_at_copy"), "+12 emulated inside r0");
  EXPECT_EQ(cleared("cleared_with_register"), "+12 emulated inside r0");
}

// Else a growth that ends while the collector runs would go unseen.
TEST(PointerCleared, UnknownSecondWayIsRefused) {
  EXPECT_TRUE(contains(cleared("cleared_on_one_way"), "only one of the ways"))
      << cleared("cleared_on_one_way");
}

TEST(PointerCleared, ObjectThatIsLoadedLaterForbidsTheJump) {
  EXPECT_EQ(cleared("cleared_after_reload"), "+26 single_stepped inside r0");
}

TEST(PointerCleared, OtherWaysToTheStoreForbidTheJump) {
  EXPECT_EQ(cleared("cleared_from_elsewhere"), "+20 single_stepped inside r0");
}

TEST(PointerCleared, EachStoreHasASite) {
  EXPECT_EQ(cleared("cleared_twice"), "+12 emulated inside r0, +31 emulated inside r3");
}

TEST(PointerCleared, StoreInALoopCountsEachTime) {
  EXPECT_EQ(cleared("cleared_in_loop"), "+7 emulated inside r0");
}

TEST(PointerCleared, OtherStoresAreNone) {
  EXPECT_TRUE(contains(cleared("not_cleared"), "nowhere at offset 24")) << cleared("not_cleared");
}

TEST(LastCheck, JumpOfTheSecondCheckIsTheSite) {
  EXPECT_EQ(last_check("checked"), "+19 emulated inside");
  EXPECT_EQ(last_check("checked_out_of_line"), "+4 emulated inside");
  EXPECT_EQ(last_check("checked_in_loop"), "+16 single_stepped");
}

TEST(LastCheck, ReturnBeforeAnyCheckIsASiteToo) {
  EXPECT_EQ(last_check("checked_after_early_return"), "+11 emulated inside, +5 emulated");
}

TEST(LastCheck, ReturnOnBothWaysIsTheOnlySite) {
  EXPECT_EQ(last_check("checked_on_one_way"), "+16 single_stepped");
  EXPECT_EQ(last_check("unchecked"), "+10 single_stepped");
}

TEST(ArgumentPlace, SpilledArgumentIsFoundAtTheReturn) {
  EXPECT_EQ(argument("spilled", Site::kExit), "+23 single_stepped stack+16");
  EXPECT_EQ(argument("spilled_by_frame_pointer", Site::kExit), "+22 single_stepped stack+16");
}

TEST(ArgumentPlace, AtomicOperationsLeaveTheStackPointer) {
  EXPECT_EQ(argument("spilled_before_lock", Site::kExit), "+28 single_stepped stack+16");
}

TEST(ArgumentPlace, SpilledArgumentIsFoundAtTheCall) {
  EXPECT_EQ(argument("changed_before_call", Site::kCall), "+15 emulated inside stack+56");
}

TEST(ArgumentPlace, RegisterGoesBeforeTheStack) {
  EXPECT_EQ(argument("spilled", Site::kCall), "+13 emulated inside r3");
  EXPECT_EQ(argument("kept_in_register", Site::kCall), "+18 emulated inside r2");
}

TEST(ArgumentPlace, FieldOutOfReachFromTheStackMovesTheSite) {
  EXPECT_EQ(argument("changed_before_call", Site::kCall, deref2(MS_REG_FOUND, 24, 0, 8)),
            "+13 single_stepped inside r3");
}

TEST(ArgumentPlace, ArgumentThatMayBeElsewhereIsRefused) {
  for (const char* shape : {"spilled_late", "spilled_on_one_way", "spilled_and_overwritten",
                            "spilled_after_change", "stack_pointer_lost", "kept_in_register"}) {
    EXPECT_TRUE(contains(argument(shape, Site::kExit), "not to be found"))
        << shape << ": " << argument(shape, Site::kExit);
  }
}

TEST(ArgumentPlace, ArgumentsBefore117AreOnTheStack) {
  EXPECT_EQ(argument("spilled_late", Site::kCall, reg(MS_REG_FOUND), kStackArguments),
            "+8 emulated inside stack+56");
  EXPECT_TRUE(
      contains(argument("spilled_and_overwritten", Site::kExit, reg(MS_REG_FOUND), kStackArguments),
               "not to be found"));
}

TEST(LastExit, OnlyOneBehindTheChangeIsTaken) {
  EXPECT_EQ(exits_after_change("last_exit", Site::kLastExit), "+14 single_stepped");
  EXPECT_EQ(exits_after_change("last_exit", Site::kOtherExits), "+5 single_stepped");
}

TEST(LastExit, OthersBehindTheChangeAreRefused) {
  for (const char* shape : {"last_exits", "first_exit"}) {
    for (const Site site : {Site::kLastExit, Site::kOtherExits})
      EXPECT_TRUE(contains(exits_after_change(shape, site), "not the only one"));
  }
}

// A spec for every site, of which each shape is asked.
std::vector<ProbeSpec> all_specs() {
  std::vector<ProbeSpec> specs;
  for (const Site site :
       {Site::kEntry, Site::kExit, Site::kLastExit, Site::kOtherExits, Site::kPastEarlyExit,
        Site::kNearExit, Site::kCall, Site::kPointerCleared, Site::kLastCheck}) {
    ProbeSpec spec;
    spec.site = site;
    spec.callee = "runtime.fatal";
    spec.offset = site == Site::kPointerCleared ? 24 : 4;
    spec.argument = 1;
    spec.descriptor.field_count = 1;
    spec.descriptor.fields[0] = reg(MS_REG_FOUND);
    specs.push_back(spec);
  }
  return specs;
}

// A site, wherever it is, is one of the function's instructions.
void expect_inside(const Program& program, const std::string& name) {
  const auto function = read_function(program, name);
  if (!function) return;
  for (const ProbeSpec& spec : all_specs()) {
    const auto sites = choose_sites(program, *function, spec, {}, kKernel);
    if (!sites) continue;
    EXPECT_FALSE(sites->empty());
    for (const ChosenSite& site : *sites)
      EXPECT_TRUE(function->index_at(site.instruction->vaddr).has_value());
  }
}

TEST(GoSites, SpoiltCodeIsPlannedOrRefused) {
  std::mt19937 random(20261125);
  const auto spoil = [&random](std::vector<std::byte>* code) {
    for (unsigned i = 0, bytes = 1 + random() % 4; i < bytes; ++i)
      (*code)[random() % code->size()] = static_cast<std::byte>(random());
  };
  GoNames names;
  names.growth = "runtime.morestack";
  names.last = "runtime.fatal";
  for (const char* shape : {"entry_push", "entry_tls_pie", "cleared_by_barrier", "checked",
                            "spilled", "last_exit", "copied"}) {
    for (int i = 0; i < 300; ++i) {
      const Result<Program> program =
          test::make_go_shape(shape, names, i % 2 == 0 ? "go1.23.5" : kStackArguments, spoil);
      ASSERT_TRUE(program) << program.error().text;
      expect_inside(*program, names.main);
    }
  }
}

// A room of this test's own.
constexpr ProbeSpec kCopiedBegin = {
    .symbol = "runtime.hashGrow",
    .site = Site::kCall,
    .descriptor = descriptor(MS_PROBE_BEGIN, {reg(MS_REG_FOUND)}).key(0),
    .why = "begins",
    .callee = "runtime.makeBucketArray",
    .offset = 9,
    .argument = 1,
};
constexpr std::string_view kHosts[] = {"runtime.map"};
const Runtime kRoom{.name = "test_room",
                    .describe = "for tests",
                    .looked_for = {},
                    .hosts = kHosts,
                    .identify = nullptr,
                    .normalize = nullptr,
                    .is_map_code = nullptr};

// A plan of probes for `spec` in a program whose runtime.mapassign holds a copy of its function.
Result<ProbePlan> plan_copy(const std::string& shape, std::span<const ProbeSpec> specs) {
  GoNames names;
  names.main = "runtime.mapassign";
  names.outer = "runtime.hashGrow";
  names.growth = "runtime.morestack";
  names.last = "runtime.makeBucketArray";
  const Result<Program> program = test::make_go_shape(shape, names);
  if (!program) return program.error();
  return plan_probes(kRoom, Match{"", specs}, *program, kKernel, Mode::kResizes);
}

ProbeSpec begin_spec(const ProbeSpec* inlined) {
  ProbeSpec spec = kCopiedBegin;
  spec.site = Site::kEntry;
  spec.inlined = inlined;
  return spec;
}

TEST(InlinedCopy, IsProbedInItsHost) {
  const ProbeSpec spec = begin_spec(&kCopiedBegin);
  const Result<ProbePlan> plan = plan_copy("copied", {&spec, 1});
  ASSERT_TRUE(plan) << plan.error().text;
  ASSERT_EQ(plan->probes.size(), 1U);
  EXPECT_EQ(plan->probes[0].function, "runtime.mapassign");
  EXPECT_EQ(plan->probes[0].symbol_offset, 0x14U);
  EXPECT_EQ(plan->probes[0].descriptor.fields[0].reg, MS_REG_BX);
  EXPECT_EQ(plan->probes[0].descriptor.flags & MS_AT_ENTRY, 0);
  EXPECT_TRUE(plan->unseen.empty());
}

TEST(InlinedCopy, OfAnotherObjectIsNotProbed) {
  const ProbeSpec spec = begin_spec(&kCopiedBegin);
  const Result<ProbePlan> plan = plan_copy("copied_for_other", {&spec, 1});
  ASSERT_FALSE(plan);
  EXPECT_TRUE(contains(plan.error().text, "runtime.hashGrow")) << plan.error().text;
}

TEST(InlinedCopy, WithoutAProbeIsUnseen) {
  ProbeSpec spec = begin_spec(nullptr);
  spec.need = Need::kOptional;
  const Result<ProbePlan> plan = plan_copy("copied", {&spec, 1});
  ASSERT_TRUE(plan) << plan.error().text;
  EXPECT_TRUE(plan->probes.empty());
  ASSERT_EQ(plan->unseen.size(), 1U);
  EXPECT_EQ(plan->unseen[0].host, "runtime.mapassign");
}

// The fallback of a probe whose function is gone: the exits of the host.
ProbeSpec fallback_spec(std::string_view symbol) {
  ProbeSpec spec;
  spec.symbol = symbol;
  spec.site = Site::kExit;
  spec.need = Need::kFallback;
  spec.descriptor = descriptor(MS_PROBE_END, {});
  return spec;
}

TEST(Fallback, StandsInForALostProbe) {
  const ProbeSpec specs[] = {begin_spec(nullptr), fallback_spec("runtime.mapassign"),
                             fallback_spec("runtime.absent")};
  const Result<ProbePlan> plan = plan_copy("copied", specs);
  ASSERT_TRUE(plan) << plan.error().text;
  ASSERT_EQ(plan->probes.size(), 1U);
  EXPECT_EQ(plan->probes[0].spec, &specs[1]);
  EXPECT_TRUE(plan->unseen.empty());
  EXPECT_TRUE(plan->missing.empty());
}

TEST(Fallback, IsLeftAloneWhereItIsNotNeeded) {
  const ProbeSpec specs[] = {begin_spec(&kCopiedBegin), fallback_spec("runtime.mapassign")};
  const Result<ProbePlan> plan = plan_copy("copied", specs);
  ASSERT_TRUE(plan) << plan.error().text;
  ASSERT_EQ(plan->probes.size(), 1U);
  EXPECT_EQ(plan->probes[0].spec, specs[0].inlined);
}

TEST(Fallback, WithoutASiteLeavesTheLoss) {
  const ProbeSpec specs[] = {begin_spec(nullptr), fallback_spec("runtime.absent")};
  const Result<ProbePlan> plan = plan_copy("copied", specs);
  ASSERT_FALSE(plan);
  EXPECT_TRUE(contains(plan.error().text, "runtime.hashGrow: no such function"));
}

}  // namespace
}  // namespace mapscope
