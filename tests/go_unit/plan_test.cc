// SPDX-License-Identifier: Apache-2.0
// Plans for real programs: every version and way of building, held against places that were
// measured by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "agent/plan/inlined.h"
#include "agent/plan/probe_plan.h"
#include "agent/runtimes/go_classic/room.h"
#include "tests/go_unit/changed_program.h"
#include "tests/go_unit/go_binary.h"

namespace mapscope::test {
namespace {

constexpr KernelFacts kOld{6, 1};
constexpr KernelFacts kNew{6, 18};
constexpr Mode kModes[] = {Mode::kResizes, Mode::kInserts, Mode::kRaces};

struct RoomPlan {
  const Runtime* runtime;
  Result<ProbePlan> plan;
};

// Of every room that recognises the program.
std::vector<RoomPlan> plans_of(const Program& program, Mode mode,
                               const KernelFacts& kernel = kNew) {
  std::vector<RoomPlan> plans;
  for (const Runtime* runtime : all_runtimes()) {
    const auto match = runtime->identify(program);
    EXPECT_TRUE(match) << match.error().text;
    if (match && *match)
      plans.push_back({runtime, plan_probes(*runtime, **match, program, kernel, mode)});
  }
  return plans;
}

std::vector<PlannedProbe> probes_of(const Program& program, Mode mode) {
  std::vector<PlannedProbe> probes;
  for (const RoomPlan& room : plans_of(program, mode)) {
    EXPECT_TRUE(room.plan) << room.plan.error().text;
    if (room.plan) probes.insert(probes.end(), room.plan->probes.begin(), room.plan->probes.end());
  }
  return probes;
}

TEST(GoPlan, EveryProbeIsPlannedInEveryBuild) {
  for (const GoBinary& binary : go_binaries("", "")) {
    SCOPED_TRACE(binary.path);
    const Program program = open_go_program(binary.path);
    for (const Mode mode : kModes) {
      const std::vector<RoomPlan> plans = plans_of(program, mode);
      EXPECT_GE(plans.size(), 1U);
      for (const RoomPlan& room : plans) {
        ASSERT_TRUE(room.plan) << room.runtime->name << ": " << room.plan.error().text;
        EXPECT_FALSE(room.plan->probes.empty());
        for (const UnseenCopy& unseen : room.plan->unseen)
          ADD_FAILURE() << unseen.spec->symbol << " in " << unseen.host << ": " << unseen.reason;
        for (const MissingProbe& missing : room.plan->missing)
          EXPECT_TRUE(missing.absent) << missing.reason;
      }
    }
  }
}

TEST(GoPlan, MapsOfAProgramAreThoseOfItsVersion) {
  for (const GoBinary& binary : go_binaries("", "grow")) {
    SCOPED_TRACE(binary.path);
    const bool classic = binary.minor() < 24 || binary.build == "noswissmap";
    const std::vector<RoomPlan> plans = plans_of(open_go_program(binary.path), Mode::kResizes);
    ASSERT_FALSE(plans.empty());
    EXPECT_EQ(plans.front().runtime == &go_classic::runtime(), classic);
  }
}

TEST(GoPlan, SyncMapIsSeenBesideTheMaps) {
  for (const GoBinary& binary : go_binaries("", "syncmap")) {
    SCOPED_TRACE(binary.path);
    EXPECT_EQ(plans_of(open_go_program(binary.path), Mode::kResizes).size(), 2U);
  }
}

TEST(GoPlan, GrowthsAndInsertsBeginCheaply) {
  for (const GoBinary& binary : go_binaries("", "grow")) {
    SCOPED_TRACE(binary.path);
    for (const PlannedProbe& probe : probes_of(open_go_program(binary.path), Mode::kInserts)) {
      const auto kind = probe.descriptor.kind;
      if (kind != MS_PROBE_BEGIN && kind != MS_PROBE_INSERT && kind != MS_PROBE_INSERT_END)
        continue;
      EXPECT_EQ(probe.site_class, SiteClass::kEmulated)
          << probe.function << "+" << probe.symbol_offset << " " << probe.instruction;
    }
  }
}

// The kernel turns a probed 5-byte nop into a call from 6.18 on, which no Go stack is made for, and
// of which a forked child dies.
TEST(GoPlan, NoSiteBecomesACall) {
  for (const GoBinary& binary : go_binaries("plain", "grow")) {
    const Program program = open_go_program(binary.path);
    for (const PlannedProbe& probe : probes_of(program, Mode::kRaces))
      EXPECT_FALSE(probe.bytes.size() == 5 && probe.instruction.starts_with("nop"))
          << probe.function;
    for (const RoomPlan& room : plans_of(program, Mode::kRaces, kOld))
      EXPECT_TRUE(room.plan) << room.plan.error().text;
  }
}

TEST(GoPlan, PlannedBytesAreInTheFileAtTheOffset) {
  for (const GoBinary& binary : go_binaries("", "grow")) {
    SCOPED_TRACE(binary.path);
    std::ifstream file(binary.path, std::ios::binary);
    for (const PlannedProbe& probe : probes_of(open_go_program(binary.path), Mode::kRaces)) {
      std::vector<char> bytes(probe.bytes.size());
      file.seekg(static_cast<std::streamoff>(probe.file_offset));
      ASSERT_TRUE(file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())));
      EXPECT_EQ(std::memcmp(bytes.data(), probe.bytes.data(), bytes.size()), 0) << probe.function;
    }
  }
}

// What a plan says apart from where the linker put a function.
std::string summary_of(const PlannedProbe& probe) {
  std::string text = probe.function + "+" + std::to_string(probe.symbol_offset) + " " +
                     std::string(probe.why_here);
  text.append(reinterpret_cast<const char*>(&probe.descriptor), sizeof(probe.descriptor));
  return text;
}

TEST(GoPlan, StrippingChangesNothing) {
  for (const GoBinary& stripped : go_binaries("stripped", "")) {
    SCOPED_TRACE(stripped.path);
    std::string plain_path = stripped.path;
    plain_path.replace(plain_path.find("/stripped/"), 10, "/plain/");
    for (const Mode mode : kModes) {
      const auto plain = probes_of(open_go_program(plain_path), mode);
      const auto probes = probes_of(open_go_program(stripped.path), mode);
      ASSERT_EQ(probes.size(), plain.size());
      for (size_t i = 0; i < probes.size(); ++i)
        EXPECT_EQ(summary_of(probes[i]), summary_of(plain[i])) << probes[i].function;
    }
  }
}

// Looks into all functions, not only into those that the rooms name.
TEST(GoPlan, EveryInlinedCopyIsProbed) {
  static constexpr std::string_view kAll[] = {""};
  size_t copies = 0;
  for (const GoBinary& binary : go_binaries("", "grow")) {
    if (!binary.has_profile()) continue;
    SCOPED_TRACE(binary.path);
    const Program program = open_go_program(binary.path);
    const std::vector<PlannedProbe> probes = probes_of(program, Mode::kResizes);
    std::vector<std::string_view> symbols;
    symbols.reserve(probes.size());
    for (const PlannedProbe& probe : probes) symbols.push_back(probe.spec->symbol);
    const InlinedCopies inlined(program, kAll, symbols);
    for (const std::string_view symbol : symbols) {
      for (const InlinedCopy& copy : inlined.of(symbol)) {
        ++copies;
        EXPECT_TRUE(std::any_of(probes.begin(), probes.end(),
                                [&](const PlannedProbe& probe) {
                                  return probe.spec->symbol == symbol &&
                                         probe.function == copy.host;
                                }))
            << symbol << " in " << copy.host;
      }
    }
  }
  EXPECT_GT(copies, 0U) << "no profile made the compiler inline anything: nothing was tested";
}

// What the linker writes when nobody hands it the settings of the build is the version alone.
TEST(GoPlan, ProgramWithoutSettingsIsSearchedAsOneWithAProfile) {
  for (const char* name : {"grow", "syncmap"}) {
    for (const GoBinary& binary : go_binaries("", name)) {
      SCOPED_TRACE(binary.path);
      const auto program = open_program_of(without_settings(read_file(binary.path)));
      ASSERT_TRUE(program) << program.error().text;
      EXPECT_FALSE(program->go->build().has_settings);
      EXPECT_EQ(program->go->build().profile, "");
      EXPECT_EQ(program->go->build().may_have_profile(), binary.minor() >= 20);
      const auto known = probes_of(open_go_program(binary.path), Mode::kResizes);
      const auto probes = probes_of(*program, Mode::kResizes);
      ASSERT_EQ(probes.size(), known.size());
      for (size_t i = 0; i < probes.size(); ++i)
        EXPECT_EQ(summary_of(probes[i]), summary_of(known[i])) << probes[i].function;
    }
  }
}

// With the block that clears the old buckets not to be found.
TEST(GoPlan, StepsStandInForTheLastOne) {
  for (const GoBinary& binary : go_binaries("", "grow")) {
    SCOPED_TRACE(binary.path);
    const Program program = open_go_program(binary.path);
    const auto match = go_classic::runtime().identify(program);
    ASSERT_TRUE(match) << match.error().text;
    if (!*match) continue;
    std::vector<ProbeSpec> specs((*match)->probes.begin(), (*match)->probes.end());
    for (ProbeSpec& spec : specs) {
      if (spec.symbol != "runtime.advanceEvacuationMark") continue;
      spec.offset = 2000;
      spec.inlined = nullptr;
    }
    const auto plan =
        plan_probes(go_classic::runtime(), Match{"", specs}, program, kNew, Mode::kResizes);
    ASSERT_TRUE(plan) << plan.error().text;
    size_t steps = 0;
    for (const PlannedProbe& probe : plan->probes) {
      if (!probe.function.starts_with("runtime.growWork")) continue;
      ++steps;
      // The map, spilled by the function that was called with it in its second register.
      EXPECT_EQ(probe.descriptor.fields[0].reg, MS_REG_SP);
      EXPECT_EQ(probe.descriptor.fields[0].offset[0], 16);
      EXPECT_EQ(probe.descriptor.fields[1].derefs, 2);
      EXPECT_EQ(probe.descriptor.fields[1].offset[1], 24);
      EXPECT_EQ(probe.descriptor.zero_field, 1);
    }
    // A profile may inline a step into those that write, which have no return of its own: then that
    // copy is named.
    const bool may_be_inlined = binary.has_profile();
    EXPECT_TRUE(may_be_inlined || plan->unseen.empty());
    EXPECT_LE(steps, 4U);
    EXPECT_GE(steps + plan->unseen.size(), 4U);
  }
}

}  // namespace
}  // namespace mapscope::test
