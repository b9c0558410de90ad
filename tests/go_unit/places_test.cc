// SPDX-License-Identifier: Apache-2.0
// Where plain builds are probed, held against places that were read off disassemblies.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/plan/probe_plan.h"
#include "tests/go_unit/go_binary.h"

namespace mapscope::test {
namespace {

// Offsets in a function.
struct Places {
  int minor;
  const char* function;
  uint64_t frame;  // right behind the instruction that makes its frame
  std::vector<uint64_t> returns;
};

// NOLINTNEXTLINE(readability-function-size): it is a table
const std::vector<Places>& measured() {
  static const std::vector<Places> places = {
      {19, "runtime.hashGrow", 0xe, {0x1ce}},
      {19, "runtime.mapassign", 0xe, {0x509}},
      {19, "runtime.mapassign_fast32", 0xe, {0x2e6}},
      {19, "runtime.mapassign_fast64", 0xe, {0x2e6}},
      {19, "runtime.mapassign_fast64ptr", 0xe, {0x302}},
      {19, "runtime.mapassign_faststr", 0xe, {0x3c6}},
      {19, "runtime.mapdelete", 0xe, {0x115, 0x165}},
      {19, "runtime.mapclear", 0xe, {0x19e, 0x1a8}},
      {21, "runtime.hashGrow", 0xb, {0x1b9}},
      {21, "runtime.mapassign", 0xb, {0x4f8}},
      {21, "runtime.mapassign_fast32", 0xb, {0x2d4}},
      {21, "runtime.mapassign_fast64", 0xb, {0x2d5}},
      {21, "runtime.mapassign_fast64ptr", 0xb, {0x2fe}},
      {21, "runtime.mapassign_faststr", 0xb, {0x3c7}},
      {21, "runtime.mapdelete", 0xb, {0x103, 0x150}},
      {21, "runtime.mapclear", 0xb, {0x75, 0x1ea}},
      {22, "runtime.hashGrow", 0xb, {0x1b9}},
      {23, "runtime.hashGrow", 0xb, {0x1b9}},
      {23, "runtime.mapassign", 0xb, {0x4fa}},
      {23, "runtime.mapassign_fast64", 0xb, {0x2d5}},
      {23, "runtime.mapassign_faststr", 0xb, {0x3c7}},
      {23, "runtime.mapdelete", 0xb, {0x10f, 0x16a}},
      {23, "runtime.mapclear", 0xb, {0x75, 0x1bb}},
      {24, "internal/runtime/maps.(*table).rehash", 7, {0x2a, 0x35}},
      {24, "internal/runtime/maps.(*Map).growToTable", 0xb, {0x164}},
      {24, "internal/runtime/maps.(*Map).Delete", 0xb, {0x123, 0x139}},
      {24, "internal/runtime/maps.(*Map).Clear", 0xb, {0x72, 0xac}},
      {24, "runtime.mapassign", 0x10, {0x15d, 0x540}},
      {24, "runtime.mapassign_fast32", 0xb, {0x120, 0x310}},
      {24, "runtime.mapassign_fast64", 0xb, {0x120, 0x311}},
      {24, "runtime.mapassign_fast64ptr", 0xb, {0x120, 0x331}},
      {24, "runtime.mapassign_faststr", 0x10, {0x18e, 0x4cd}},
      {25, "internal/runtime/maps.(*table).rehash", 7, {0x2a, 0x35}},
      {25, "internal/runtime/maps.(*Map).growToTable", 0xb, {0x164}},
      {25, "internal/runtime/maps.(*table).pruneTombstones", 0xb, {0x5b, 0x1ae, 0x1f3}},
      {25, "internal/runtime/maps.(*Map).Delete", 0xb, {0x139, 0x160}},
      {25, "internal/runtime/maps.(*Map).Clear", 0xb, {0x7c, 0xc0}},
      {25, "runtime.mapassign", 0x10, {0x15d, 0x531}},
      {25, "runtime.mapassign_fast64", 0xb, {0x129, 0x354}},
      {25, "runtime.mapassign_faststr", 0x10, {0x18e, 0x51d}},
      {26, "internal/runtime/maps.(*table).rehash", 7, {0x2a, 0x35}},
      {26, "internal/runtime/maps.(*Map).growToTable", 0xb, {0x163}},
      {26, "internal/runtime/maps.(*table).pruneTombstones", 0xb, {0x5e, 0x2ce, 0x33d}},
      {26, "internal/runtime/maps.(*Map).Delete", 0xb, {0x139, 0x160}},
      {26, "runtime.mapassign", 0x10, {0x15d, 0x56a}},
      {26, "runtime.mapassign_fast64", 0xb, {0x120, 0x339}},
      {26, "runtime.mapassign_faststr", 0x10, {0x188, 0x52d}},
      {27, "internal/runtime/maps.(*table).rehash", 7, {0x2a, 0x35}},
      {27, "internal/runtime/maps.(*Map).growToTable", 0xb, {0x167}},
      {27, "internal/runtime/maps.(*table).pruneTombstones", 0xb, {0x5e, 0x2be, 0x32d}},
      {27, "internal/runtime/maps.(*Map).Delete", 0xb, {0x139, 0x162}},
      {27, "internal/runtime/maps.(*Map).Clear", 0xb, {0x7c, 0xc0}},
      {27, "runtime.mapassign", 0x10, {0x173, 0x567}},
      {27, "runtime.mapassign_fast32", 0xb, {0x175, 0x392}},
      {27, "runtime.mapassign_fast64", 0xb, {0x178, 0x392}},
      {27, "runtime.mapassign_fast64ptr", 0xb, {0x176, 0x3ae}},
      {27, "runtime.mapassign_faststr", 0x10, {0x1b3, 0x524}},
  };
  return places;
}

// The push that ends right there; before 1.21 the jump of the check, which stands behind a
// comparison of 4 bytes, in functions with large frames after a lea of 5.
uint64_t entry_of(const Places& places) {
  if (places.minor >= 21) return places.frame - 1;
  return places.frame < 0x10 ? 4 : 9;
}

bool is_exit(Site site) {
  return site == Site::kExit || site == Site::kLastExit || site == Site::kOtherExits;
}

// Probes of one program by function; of all modes, each place once.
struct Planned {
  std::map<std::string, std::vector<PlannedProbe>> by_function;

  explicit Planned(const Program& program) {
    for (const Runtime* runtime : all_runtimes()) {
      const auto match = runtime->identify(program);
      if (!match || !*match) continue;
      for (const Mode mode : {Mode::kResizes, Mode::kInserts, Mode::kRaces})
        add(plan_probes(*runtime, **match, program, {6, 18}, mode));
    }
  }

  void add(const Result<ProbePlan>& plan) {
    ASSERT_TRUE(plan) << plan.error().text;
    for (const PlannedProbe& probe : plan->probes) by_function[probe.function].push_back(probe);
  }
};

void expect_at(const Places& places, const std::vector<PlannedProbe>& probes) {
  SCOPED_TRACE(places.function);
  ASSERT_FALSE(probes.empty()) << "not planned";
  for (const PlannedProbe& probe : probes) {
    if (probe.spec->site == Site::kEntry) {
      EXPECT_EQ(probe.symbol_offset, entry_of(places)) << probe.instruction;
      EXPECT_EQ(probe.descriptor.skip_eflags, places.minor >= 21 ? 0 : 0x41);
      EXPECT_NE(probe.descriptor.flags & MS_AT_ENTRY, 0);
    } else if (is_exit(probe.spec->site)) {
      // The return, or the padding before it.
      const uint64_t end =
          probe.symbol_offset + (probe.instruction == "ret" ? 0 : probe.bytes.size());
      EXPECT_NE(std::find(places.returns.begin(), places.returns.end(), end), places.returns.end())
          << probe.instruction << " at " << probe.symbol_offset;
    }
  }
}

TEST(GoPlaces, SitesOfPlainBuildsAreWhereTheyWereMeasured) {
  for (const GoBinary& binary : go_binaries("plain", "grow")) {
    SCOPED_TRACE(binary.path);
    Planned planned(open_go_program(binary.path));
    for (const Places& places : measured()) {
      const auto found = planned.by_function.find(places.function);
      // What the linker left out, nothing uses.
      if (places.minor == binary.minor() && found != planned.by_function.end())
        expect_at(places, found->second);
    }
  }
}

TEST(GoPlaces, EveryReturnHasItsProbe) {
  for (const GoBinary& binary : go_binaries("plain", "grow")) {
    SCOPED_TRACE(binary.path);
    Planned planned(open_go_program(binary.path));
    for (const Places& places : measured()) {
      if (places.minor != binary.minor()) continue;
      std::set<uint64_t> found;
      for (const PlannedProbe& probe : planned.by_function[places.function]) {
        if (is_exit(probe.spec->site)) found.insert(probe.symbol_offset);
      }
      // Some functions are probed elsewhere, and of one the first return is not worth a probe.
      const bool has_early_exit = std::string(places.function).ends_with("pruneTombstones");
      if (found.empty()) continue;
      EXPECT_EQ(found.size() + (has_early_exit ? 1 : 0), places.returns.size()) << places.function;
    }
  }
}

// Read from disassemblies: the jump to the loop that puts the new table into the directory; the
// first check for a write barrier behind the last allocation; the check whether there are overflow
// buckets; the jump to the loop that looks for removed entries.
struct Jump {
  int minor;
  const char* function;
  uint64_t offset;
};
constexpr Jump kJumps[] = {
    {19, "runtime.hashGrow", 0x155},
    {21, "runtime.hashGrow", 0x143},
    {22, "runtime.hashGrow", 0x143},
    {23, "runtime.hashGrow", 0x143},
    {24, "internal/runtime/maps.(*table).grow", 0x74},
    {24, "internal/runtime/maps.(*Map).installTableSplit", 0x1e3},
    {24, "internal/runtime/maps.(*Map).growToTable", 0x115},
    {25, "internal/runtime/maps.(*table).grow", 0x74},
    {25, "internal/runtime/maps.(*Map).installTableSplit", 0x1ef},
    {25, "internal/runtime/maps.(*Map).growToTable", 0x115},
    {25, "internal/runtime/maps.(*table).pruneTombstones", 0x54},
    {26, "internal/runtime/maps.(*table).grow", 0x74},
    {26, "internal/runtime/maps.(*Map).installTableSplit", 0x1ef},
    {26, "internal/runtime/maps.(*Map).growToTable", 0x114},
    {26, "internal/runtime/maps.(*table).pruneTombstones", 0x57},
    {27, "internal/runtime/maps.(*table).grow", 0x74},
    {27, "internal/runtime/maps.(*Map).installTableSplit", 0x1ef},
    {27, "internal/runtime/maps.(*Map).growToTable", 0x115},
    {27, "internal/runtime/maps.(*table).pruneTombstones", 0x57},
};

TEST(GoPlaces, WhatGrowsOftenIsProbedWhereTheKernelEmulates) {
  for (const GoBinary& binary : go_binaries("plain", "grow")) {
    SCOPED_TRACE(binary.path);
    Planned planned(open_go_program(binary.path));
    for (const Jump& jump : kJumps) {
      if (jump.minor != binary.minor()) continue;
      SCOPED_TRACE(jump.function);
      int found = 0;
      for (const PlannedProbe& probe : planned.by_function[jump.function]) {
        if (probe.spec->site != Site::kNearExit && probe.spec->site != Site::kPastEarlyExit)
          continue;
        ++found;
        EXPECT_EQ(probe.symbol_offset, jump.offset) << probe.instruction;
        EXPECT_EQ(probe.site_class, SiteClass::kEmulated) << probe.instruction;
        EXPECT_EQ(probe.descriptor.flags & MS_AT_ENTRY, 0);
      }
      EXPECT_EQ(found, 3) << "one in each mode";
    }
  }
}

// pruneTombstones() returns in three places; the marks are gone in the last.
TEST(GoPlaces, PruneEndsInTheLastReturnOnly) {
  for (const GoBinary& binary : go_binaries("", "grow")) {
    if (binary.minor() < 25) continue;
    SCOPED_TRACE(binary.path);
    Planned planned(open_go_program(binary.path));
    const auto& probes = planned.by_function["internal/runtime/maps.(*table).pruneTombstones"];
    uint64_t last_cancel = 0;
    uint64_t end = 0;
    for (const PlannedProbe& probe : probes) {
      if (probe.descriptor.kind == MS_PROBE_CANCEL)
        last_cancel = std::max(last_cancel, probe.symbol_offset);
      if (probe.descriptor.kind == MS_PROBE_END) end = probe.symbol_offset;
    }
    EXPECT_GT(last_cancel, 0U);
    EXPECT_GT(end, last_cancel);
  }
}

}  // namespace
}  // namespace mapscope::test
