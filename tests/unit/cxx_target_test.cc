// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "agent/plan/probe_plan.h"
#include "agent/runtimes/cxx_target/room.h"
#include "target/map/mapscope_map.h"
#include "tests/paths.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

using cxx_target::Field;
using cxx_target::runtime;

constexpr KernelFacts kOld{6, 1};
constexpr KernelFacts kNew{6, 18};

Result<ProbePlan> plan(const char* path, const KernelFacts& kernel = kOld,
                       Mode mode = Mode::kResizes) {
  const Result<Program> program = test::open_program(path);
  if (!program) return program.error();
  const auto match = runtime().identify(*program);
  if (!match) return match.error();
  if (!*match) return Error{ErrorKind::kNotFound, "not recognised"};
  return plan_probes(runtime(), **match, *program, kernel, mode);
}

bool matches(const char* path) {
  const Result<Program> program = test::open_program(path);
  return runtime().identify(program.value()).value().has_value();
}

// A record of a doubling at 13/16 entries.
ms_resize_record grow_record() {
  ms_resize_record record{};
  record.key = 0x1234;
  record.begin_valid = 0xff;
  record.begin_fields[Field::kMap] = 0x1234;
  record.begin_fields[Field::kOldSlots] = 16;
  record.begin_fields[Field::kNewSlots] = 32;
  record.begin_fields[Field::kEntries] = 13;
  record.begin_fields[Field::kNewBytes] = 512;
  record.begin_fields[Field::kKind] = MAPSCOPE_KIND_GROW;
  record.begin_fields[Field::kTrigger] = MAPSCOPE_TRIGGER_LOAD;
  std::strcpy(record.text, "table<long>");
  return record;
}

ErrorKind refusal(const ms_resize_record& record) {
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  return meaning ? ErrorKind::kUsage : meaning.error().kind;  // kUsage: it was accepted
}

TEST(CxxTarget, IsInTheRegistry) {
  const auto rooms = all_runtimes();
  EXPECT_NE(std::find(rooms.begin(), rooms.end(), &runtime()), rooms.end());
}

TEST(CxxTarget, ProgramsWithTheContractAreRecognised) {
  EXPECT_TRUE(matches(MAPSCOPE_FIXTURE_CONTRACT_PIE));
  EXPECT_TRUE(matches(MAPSCOPE_FIXTURE_CONTRACT_NO_PIE));
  EXPECT_TRUE(matches(MAPSCOPE_FIXTURE_CONTRACT_EXPORTED));
  EXPECT_TRUE(matches(MAPSCOPE_FIXTURE_HALF_CONTRACT));
}

TEST(CxxTarget, OtherProgramsAreNot) {
  EXPECT_FALSE(matches(MAPSCOPE_FIXTURE_NO_CONTRACT));
  EXPECT_FALSE(matches(MAPSCOPE_FIXTURE_CONTRACT_STRIPPED));
}

TEST(CxxTarget, ResizeModeLeavesInsertsAlone) {
  const Result<ProbePlan> planned = plan(MAPSCOPE_FIXTURE_CONTRACT_PIE);
  ASSERT_TRUE(planned) << planned.error().text;
  ASSERT_EQ(planned->probes.size(), 4U);
  EXPECT_EQ(planned->probes[0].spec->descriptor.kind, MS_PROBE_BEGIN);
  EXPECT_EQ(planned->probes[1].spec->descriptor.kind, MS_PROBE_SYNC_END);
  EXPECT_EQ(planned->probes[2].spec->descriptor.kind, MS_PROBE_END);
  EXPECT_EQ(planned->probes[3].spec->descriptor.kind, MS_PROBE_FATAL);
  EXPECT_TRUE(planned->missing.empty());
}

TEST(CxxTarget, InsertModeAddsInserts) {
  const Result<ProbePlan> planned = plan(MAPSCOPE_FIXTURE_CONTRACT_PIE, kOld, Mode::kInserts);
  ASSERT_TRUE(planned) << planned.error().text;
  ASSERT_EQ(planned->probes.size(), 5U);
  EXPECT_EQ(planned->probes[4].spec->descriptor.kind, MS_PROBE_INSERT);
}

TEST(CxxTarget, ContractIsNeverSingleStepped) {
  for (const char* path : {MAPSCOPE_FIXTURE_CONTRACT_PIE, MAPSCOPE_FIXTURE_CONTRACT_NO_PIE,
                           MAPSCOPE_FIXTURE_CONTRACT_STATIC, MAPSCOPE_FIXTURE_CONTRACT_EXPORTED}) {
    for (const KernelFacts& kernel : {kOld, kNew}) {
      const Result<ProbePlan> planned = plan(path, kernel, Mode::kInserts);
      ASSERT_TRUE(planned) << planned.error().text;
      for (const PlannedProbe& probe : planned->probes) {
        EXPECT_NE(probe.site_class, SiteClass::kSingleStepped) << path << " " << probe.spec->symbol;
      }
    }
  }
}

TEST(CxxTarget, PlannedBytesAreInTheFileAtTheOffset) {
  const test::Bytes file = test::read_file(MAPSCOPE_FIXTURE_CONTRACT_PIE);
  const Result<ProbePlan> planned = plan(MAPSCOPE_FIXTURE_CONTRACT_PIE, kNew);
  ASSERT_TRUE(planned);
  for (const PlannedProbe& probe : planned->probes) {
    ASSERT_LE(probe.file_offset + probe.bytes.size(), file.size());
    EXPECT_EQ(std::memcmp(file.data() + probe.file_offset, probe.bytes.data(), probe.bytes.size()),
              0);
  }
}

TEST(CxxTarget, CompiledFunctionsArePlannedToo) {
  const Result<ProbePlan> planned = plan(MAPSCOPE_FIXTURE_COMPILED_CONTRACT);
  ASSERT_TRUE(planned) << planned.error().text;
  ASSERT_GE(planned->probes.size(), 3U);
  EXPECT_EQ(planned->probes[0].instruction, "push rbp");
  EXPECT_EQ(planned->probes[0].symbol_offset, 4U);
  EXPECT_EQ(planned->probes[1].instruction, "ret");
  ASSERT_EQ(planned->missing.size(), 1U);
  EXPECT_EQ(planned->missing[0].spec->symbol, "mapscope_map_fatal");
}

TEST(CxxTarget, MissingEndIsUnsupportedAndNamed) {
  const Result<ProbePlan> planned = plan(MAPSCOPE_FIXTURE_HALF_CONTRACT);
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(planned.error().text.find("mapscope_map_finish_growth"), std::string::npos);
}

TEST(CxxTarget, BeginDescriptorReadsTheGrowth) {
  const Result<ProbePlan> planned = plan(MAPSCOPE_FIXTURE_CONTRACT_PIE);
  ASSERT_TRUE(planned) << planned.error().text;
  const ms_descriptor& begin = planned->probes[0].descriptor;
  EXPECT_EQ(begin.field_count, 8);
  EXPECT_EQ(begin.key_field, Field::kMap);
  EXPECT_EQ(begin.text_field, Field::kType);
  EXPECT_EQ(begin.length_field, MS_NO_FIELD);
  EXPECT_EQ(begin.flags & ((1 << MS_SITE_CLASS_SHIFT) - 1), MS_AT_ENTRY);
  EXPECT_EQ(begin.fields[Field::kMap].reg, MS_REG_DI);
  EXPECT_EQ(begin.fields[Field::kMap].derefs, 0);
  EXPECT_EQ(begin.fields[Field::kTrigger].reg, MS_REG_SI);
  EXPECT_EQ(begin.fields[Field::kTrigger].derefs, 1);
  EXPECT_EQ(begin.fields[Field::kTrigger].size, 4);
  EXPECT_EQ(begin.fields[Field::kTrigger].offset[0], 36);
}

TEST(CxxTarget, GrowIsUnderstood) {
  const ms_resize_record record = grow_record();
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  ASSERT_TRUE(meaning) << meaning.error().text;
  EXPECT_EQ(meaning->kind, "grow");
  EXPECT_EQ(meaning->trigger, "load");
  EXPECT_EQ(meaning->map_type, "table<long>");
  EXPECT_EQ(meaning->map_addr, 0x1234U);
  EXPECT_EQ(meaning->old_slots, 16U);
  EXPECT_EQ(meaning->new_slots, 32U);
  EXPECT_EQ(meaning->entries, 13U);
  EXPECT_EQ(meaning->new_bytes, 512U);
  EXPECT_EQ(meaning->old_bytes, 256U);
  // What this map holds nobody but itself knows.
  EXPECT_EQ(meaning->reserve, (Reserve{14, 32, 0, 512}));
}

TEST(CxxTarget, OwnMapHoldsWhatItsLoadFactorSays) {
  ms_resize_record record = grow_record();
  std::strcpy(record.text, "mapscope::HashMap");
  EXPECT_EQ(runtime().normalize(record, nullptr).value().reserve, (Reserve{14, 32, 26, 512}));
}

TEST(CxxTarget, SameSizeIsUnderstood) {
  ms_resize_record record = grow_record();
  record.begin_fields[Field::kNewSlots] = 16;
  record.begin_fields[Field::kKind] = MAPSCOPE_KIND_SAME_SIZE;
  record.begin_fields[Field::kTrigger] = MAPSCOPE_TRIGGER_OVERFLOW;
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  ASSERT_TRUE(meaning) << meaning.error().text;
  EXPECT_EQ(meaning->kind, "same_size");
  EXPECT_EQ(meaning->trigger, "overflow");
}

TEST(CxxTarget, UnreadFieldsAreAbsent) {
  ms_resize_record record = grow_record();
  record.begin_valid = 1 << Field::kKind;
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  ASSERT_TRUE(meaning) << meaning.error().text;
  EXPECT_FALSE(meaning->old_slots || meaning->new_slots || meaning->entries || meaning->new_bytes);
  EXPECT_EQ(meaning->trigger, "");
}

TEST(CxxTarget, ZeroBytesAreUnknown) {
  ms_resize_record record = grow_record();
  record.begin_fields[Field::kNewBytes] = 0;
  EXPECT_FALSE(runtime().normalize(record, nullptr).value().new_bytes);
}

TEST(CxxTarget, TextWithoutEndStaysInTheRecord) {
  ms_resize_record record = grow_record();
  std::memset(record.text, 'x', sizeof(record.text));
  EXPECT_EQ(runtime().normalize(record, nullptr).value().map_type.size(), sizeof(record.text));
}

TEST(CxxTarget, UnreadKindIsCorrupt) {
  ms_resize_record record = grow_record();
  record.begin_valid = 0;
  EXPECT_EQ(refusal(record), ErrorKind::kCorrupt);
}

TEST(CxxTarget, UnknownKindIsCorrupt) {
  ms_resize_record record = grow_record();
  record.begin_fields[Field::kKind] = 3;
  EXPECT_EQ(refusal(record), ErrorKind::kCorrupt);
}

TEST(CxxTarget, UnknownTriggerIsCorrupt) {
  ms_resize_record record = grow_record();
  record.begin_fields[Field::kTrigger] = 0;
  EXPECT_EQ(refusal(record), ErrorKind::kCorrupt);
}

TEST(CxxTarget, GrowThatShrinksIsCorrupt) {
  ms_resize_record record = grow_record();
  record.begin_fields[Field::kNewSlots] = 8;
  EXPECT_EQ(refusal(record), ErrorKind::kCorrupt);
}

TEST(CxxTarget, SameSizeThatGrowsIsCorrupt) {
  ms_resize_record record = grow_record();
  record.begin_fields[Field::kKind] = MAPSCOPE_KIND_SAME_SIZE;
  EXPECT_EQ(refusal(record), ErrorKind::kCorrupt);
}

TEST(CxxTarget, ImpossibleSizesAreCorrupt) {
  ms_resize_record record = grow_record();
  record.begin_fields[Field::kEntries] = (1ULL << 48) + 1;
  EXPECT_EQ(refusal(record), ErrorKind::kCorrupt);
}

TEST(CxxTarget, MapCodeIsTheContractAndTheTypesMembers) {
  const auto is_map_code = runtime().is_map_code;
  EXPECT_TRUE(is_map_code("mapscope_map_grow", "HashMap"));
  EXPECT_TRUE(is_map_code("HashMap::insert(unsigned long)", "HashMap"));
  EXPECT_TRUE(is_map_code("table_insert", "table"));
  EXPECT_FALSE(is_map_code("HashMapUser::run()", "HashMap"));
  EXPECT_FALSE(is_map_code("main", "HashMap"));
  EXPECT_FALSE(is_map_code("::anything", ""));
}

TEST(CxxTarget, AdviceIsToReserve) {
  const auto reserve_advice = runtime().reserve_advice;
  EXPECT_EQ(reserve_advice("HashMap", 3407873, "f"), "reserving 3,407,873 entries");
  EXPECT_EQ(reserve_advice("", 999, ""), "reserving 999 entries");
  EXPECT_EQ(reserve_advice("", 1, ""), "reserving 1 entry");
}

}  // namespace
}  // namespace mapscope
