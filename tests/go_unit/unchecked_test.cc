// SPDX-License-Identifier: Apache-2.0
// Programs of a Go newer than those that were checked: watched where they prove to keep their maps
// as the newest of those, refused with the reason where not.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "agent/plan/layout_facts.h"
#include "agent/plan/probe_plan.h"
#include "tests/go_unit/changed_program.h"
#include "tests/go_unit/go_binary.h"

namespace mapscope::test {
namespace {

constexpr KernelFacts kKernel{6, 18};

std::vector<GoBinary> newest(const std::string& program) {
  std::vector<GoBinary> binaries = go_binaries("", program);
  std::erase_if(binaries, [](const GoBinary& binary) { return binary.minor() != 27; });
  EXPECT_FALSE(binaries.empty());
  return binaries;
}

// Not position-independent: what is changed in the file is what the program sees.
std::string newest_plain() {
  for (const GoBinary& binary : newest("grow")) {
    if (binary.build == "plain") return binary.path;
  }
  ADD_FAILURE() << "no plain build of the newest Go";
  return "";
}

struct Seen {
  bool unverified = false;
  std::vector<std::string> probes;
};

// Fails the test when the program is refused.
Seen seen_in(const Program& program, Mode mode) {
  Seen seen;
  for (const Runtime* runtime : all_runtimes()) {
    const auto match = runtime->identify(program);
    EXPECT_TRUE(match) << match.error().text;
    if (!match || !*match) continue;
    seen.unverified = (*match)->unverified;
    const auto plan = plan_probes(*runtime, **match, program, kKernel, mode);
    EXPECT_TRUE(plan) << plan.error().text;
    if (!plan) continue;
    EXPECT_TRUE(plan->unseen.empty());
    for (const PlannedProbe& probe : plan->probes) {
      seen.probes.push_back(probe.function + "+" + std::to_string(probe.symbol_offset) + " " +
                            std::string(probe.spec->why));
    }
  }
  return seen;
}

// Why its maps are not watched; nothing when they are.
std::optional<Error> refusal(const Bytes& bytes) {
  const Result<Program> program = open_program_of(bytes);
  if (!program) return program.error();
  for (const Runtime* runtime : all_runtimes()) {
    const auto match = runtime->identify(*program);
    if (!match) return match.error();
    if (!*match) continue;
    const auto plan = plan_probes(*runtime, **match, *program, kKernel, Mode::kResizes);
    if (!plan) return plan.error();
  }
  const auto goroutines = goroutine_layout(program->elf, *program->go);
  return goroutines ? std::nullopt : std::optional(goroutines.error());
}

TEST(UncheckedGo, IsPlannedLikeTheNewestCheckedAndMarked) {
  for (const char* name : {"grow", "syncmap"}) {
    for (const GoBinary& binary : newest(name)) {
      SCOPED_TRACE(binary.path);
      const auto newer = open_program_of(with_newer_version(read_file(binary.path)));
      ASSERT_TRUE(newer) << newer.error().text;
      EXPECT_EQ(newer->go->build().version.minor, 28);
      for (const Mode mode : {Mode::kResizes, Mode::kInserts, Mode::kRaces}) {
        const Seen known = seen_in(open_go_program(binary.path), mode);
        const Seen seen = seen_in(*newer, mode);
        EXPECT_FALSE(known.unverified);
        EXPECT_TRUE(seen.unverified);
        EXPECT_EQ(seen.probes, known.probes);
      }
    }
  }
}

TEST(UncheckedGo, GoroutinesAreThoseOfTheNewestChecked) {
  for (const GoBinary& binary : newest("grow")) {
    SCOPED_TRACE(binary.path);
    const Program program = open_go_program(binary.path);
    const auto known = goroutine_layout(program.elf, *program.go);
    ASSERT_TRUE(known) << known.error().text;
    const auto newer = open_program_of(with_newer_version(read_file(binary.path)));
    ASSERT_TRUE(newer);
    const auto layout = goroutine_layout(newer->elf, *newer->go);
    ASSERT_TRUE(layout) << layout.error().text;
    EXPECT_EQ(layout->goid, known->goid);
    EXPECT_EQ(layout->m_p, known->m_p);
  }
}

// What is asked of a newer one holds in every version that was checked, so that it is no matter of
// one compiler.
TEST(UncheckedGo, WhatIsAskedHoldsInEveryCheckedVersion) {
  for (const GoBinary& binary : go_binaries("", "grow")) {
    SCOPED_TRACE(binary.path);
    const Program program = open_go_program(binary.path);
    const Status types = program.go->check_map_types();
    EXPECT_TRUE(types) << types.error().text;
    for (const Runtime* runtime : all_runtimes()) {
      const auto match = runtime->identify(program);
      ASSERT_TRUE(match) << match.error().text;
      if (!*match) continue;
      const Status layout = prove_layout(program, (*match)->facts);
      EXPECT_TRUE(layout) << layout.error().text;
    }
  }
}

struct Change {
  std::string function;
  std::string instruction;
  int8_t displacement;
};

TEST(UncheckedGo, ChangedLayoutIsRefusedWithTheReason) {
  const Change changes[] = {
      {"internal/runtime/maps.(*table).rehash", "word ptr [rax + 2]", 4},
      {"internal/runtime/maps.(*table).uncheckedPutSlot", "word ptr [rax + 4]", 6},
      {"internal/runtime/maps.(*Map).installTableSplit", "byte ptr [rbx + 6]", 7},
      {"internal/runtime/maps.(*Map).installTableSplit", "qword ptr [rax + 0x18]", 40},
      {"runtime.casgstatus", "cmpxchg dword ptr [rdi + 0x90]", 100},
      {"runtime.mcommoninit", "+ 0xe8]", 100},
      {"runtime.wirep", "+ 0xd0]", 100},
      {"runtime.newproc1", "+ 0x98]", 100},
  };
  const std::string path = newest_plain();
  const Program program = open_go_program(path);
  const Bytes newer = with_newer_version(read_file(path));
  ASSERT_FALSE(refusal(newer)) << refusal(newer)->text;
  for (const Change& change : changes) {
    SCOPED_TRACE(change.function + " " + change.instruction);
    const auto why = refusal(with_displacement(newer, program, change.function, change.instruction,
                                               change.displacement));
    ASSERT_TRUE(why);
    EXPECT_EQ(why->kind, ErrorKind::kUnsupported);
    EXPECT_EQ(why->label, "go_layout");
    EXPECT_NE(why->text.find("go1.28"), std::string::npos) << why->text;
    EXPECT_NE(why->text.find(change.function), std::string::npos) << why->text;
  }
}

// An int where the name says that there is a string.
TEST(UncheckedGo, TypesThatContradictTheirNamesAreRefused) {
  const std::string path = newest_plain();
  const Program program = open_go_program(path);
  Bytes bytes = with_newer_version(read_file(path));
  const auto types = program.go->map_types(1000);
  const auto string_map = std::find_if(types.begin(), types.end(), [&](uint64_t type) {
    return program.go->map_type(type)->name.starts_with("map[string]");
  });
  const auto int_map = std::find_if(types.begin(), types.end(), [&](uint64_t type) {
    return program.go->map_type(type)->name.starts_with("map[int]");
  });
  ASSERT_NE(string_map, types.end());
  ASSERT_NE(int_map, types.end());
  const auto offset_of = [&](uint64_t vaddr) {
    for (const LoadSegment& segment : program.elf.load_segments()) {
      if (vaddr >= segment.vaddr && vaddr - segment.vaddr < segment.bytes)
        return segment.offset + (vaddr - segment.vaddr);
    }
    return uint64_t{0};
  };
  constexpr uint64_t kKeyAt = 48;
  std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(offset_of(*int_map) + kKeyAt), 8,
              bytes.begin() + static_cast<ptrdiff_t>(offset_of(*string_map) + kKeyAt));
  const auto why = refusal(bytes);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->label, "go_layout");
  EXPECT_NE(why->text.find("map[string]"), std::string::npos) << why->text;
}

// Maps of buckets are gone since 1.26; and what is no Go 1 is not known at all.
TEST(UncheckedGo, OtherMapsAndOtherMajorVersionsAreRefusedByVersion) {
  for (const GoBinary& binary : go_binaries("plain", "grow")) {
    if (binary.minor() != 19 && binary.minor() != 27) continue;
    const std::string known = "go" + binary.version;
    const std::string newer = binary.minor() == 19 ? "go1.99" : "go2.27";
    const auto why = refusal(with_version(read_file(binary.path), known, newer));
    ASSERT_TRUE(why) << binary.path;
    EXPECT_EQ(why->label, "go_version");
    EXPECT_NE(why->text.find("; the maps of Go 1.15 to 1.27 are known"), std::string::npos);
  }
}

TEST(UncheckedGo, VersionThatNamesNoReleaseIsRefusedByVersion) {
  const std::string path = newest_plain();
  const std::string text = open_go_program(path).go->build().text;
  const auto why = refusal(
      with_version(read_file(path), text, std::string("devel +2b1d3a7c").substr(0, text.size())));
  ASSERT_TRUE(why);
  EXPECT_EQ(why->label, "go_version");
  EXPECT_NE(why->text.find("names no release of Go; the maps of Go 1.15"), std::string::npos)
      << why->text;
}

}  // namespace
}  // namespace mapscope::test
