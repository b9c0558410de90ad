// SPDX-License-Identifier: Apache-2.0
// What every room owes: iterates the registry, so that a new room is held to it.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "agent/runtimes/runtime.h"
#include "tests/paths.h"
#include "tests/support/go_image.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

// Recognised by one room or another, in every version of its tables.
std::vector<Program> recognised_programs() {
  std::vector<Program> programs;
  for (const char* path : {MAPSCOPE_FIXTURE_CONTRACT_PIE, MAPSCOPE_FIXTURE_COMPILED_CONTRACT})
    programs.push_back(test::open_program(path).value());
  for (const auto& [format, version] : test::kGoFormats) {
    for (const char* growth :
         {"", "sync.(*Map).missLocked",
          "internal/sync.(*HashTrieMap[go.shape.interface {},go.shape.interface {}]).expand"}) {
      test::GoNames names;
      names.growth = growth;
      programs.push_back(
          test::open_program_of(test::make_go_image(format, version, names).bytes).value());
    }
  }
  return programs;
}

// use(room, spec) of every probe that some program gets.
template <typename Use>
void for_each_probe(Use use) {
  for (const Program& program : recognised_programs()) {
    for (const Runtime* runtime : all_runtimes()) {
      const auto match = runtime->identify(program);
      ASSERT_TRUE(match) << match.error().text;
      if (!*match) continue;
      for (const ProbeSpec& spec : (*match)->probes) {
        use(*runtime, spec);
        if (spec.inlined != nullptr && spec.inlined != &spec) use(*runtime, *spec.inlined);
      }
    }
  }
}

TEST(EveryRoom, IsComplete) {
  std::set<std::string_view> names;
  for (const Runtime* runtime : all_runtimes()) {
    EXPECT_TRUE(names.insert(runtime->name).second) << runtime->name;
    EXPECT_FALSE(runtime->describe.empty());
    EXPECT_FALSE(runtime->looked_for.empty());
    EXPECT_TRUE(runtime->identify && runtime->normalize && runtime->is_map_code) << runtime->name;
  }
}

TEST(EveryRoom, IsRecognisedBySomeProgram) {
  std::set<std::string_view> seen;
  for_each_probe([&](const Runtime& runtime, const ProbeSpec&) { seen.insert(runtime.name); });
  EXPECT_EQ(seen.size(), all_runtimes().size());
}

TEST(EveryRoom, DescriptorsReadWhatThereIs) {
  for_each_probe([](const Runtime&, const ProbeSpec& spec) {
    const ms_descriptor& what = spec.descriptor;
    EXPECT_TRUE(what.kind > 0 && what.kind < MS_PROBE_KINDS) << spec.symbol;
    EXPECT_LE(what.field_count, MS_MAX_FIELDS);
    for (const uint8_t role : {what.key_field, what.text_field, what.length_field, what.zero_field})
      EXPECT_TRUE(role == MS_NO_FIELD || role < what.field_count) << spec.symbol;
    for (uint8_t i = 0; i < what.field_count; ++i) {
      EXPECT_TRUE(what.fields[i].reg < MS_REGISTERS || what.fields[i].reg == MS_REG_FOUND);
      EXPECT_LE(what.fields[i].derefs, MS_MAX_DEREFS);
    }
  });
}

TEST(EveryRoom, SitesHaveWhatTheyAskFor) {
  for_each_probe([](const Runtime&, const ProbeSpec& spec) {
    EXPECT_FALSE(spec.symbol.empty());
    EXPECT_FALSE(spec.why.empty()) << spec.symbol;
    const bool needs_callee = spec.site == Site::kCall || spec.site == Site::kLastCheck;
    EXPECT_TRUE(!needs_callee || !spec.callee.empty()) << spec.symbol;
    const bool needs_offset = spec.site == Site::kPointerCleared || spec.site == Site::kLastExit ||
                              spec.site == Site::kOtherExits;
    EXPECT_TRUE(!needs_offset || spec.offset != 0) << spec.symbol;
  });
}

TEST(EveryRoom, FallbackStandsBehindWhatItReplaces) {
  for (const Program& program : recognised_programs()) {
    for (const Runtime* runtime : all_runtimes()) {
      const auto match = runtime->identify(program).value();
      if (!match) continue;
      EXPECT_NE(match->probes.front().need, Need::kFallback) << runtime->name;
    }
  }
}

// A record is what the target's memory held.
TEST(EveryRoom, AnyRecordIsUnderstoodOrRefused) {
  std::mt19937_64 random(20261124);
  for (const Runtime* runtime : all_runtimes()) {
    size_t refused = 0;
    for (int i = 0; i < 20000; ++i) {
      ms_resize_record record{};
      for (uint64_t& value : record.begin_fields) value = random() >> (random() % 64);
      record.begin_valid = static_cast<uint8_t>(random());
      record.end_valid = static_cast<uint8_t>(random());
      const Result<ResizeMeaning> meaning = runtime->normalize(record, nullptr);
      if (!meaning) {
        ++refused;
        EXPECT_EQ(meaning.error().kind, ErrorKind::kCorrupt) << runtime->name;
      } else {
        EXPECT_FALSE(meaning->kind.empty()) << runtime->name;
      }
    }
    EXPECT_GT(refused, 0U) << runtime->name << " believes everything";
  }
}

// What the facts prove is asked of the code when probes are planned.
TEST(EveryRoom, RefusesGoBeyondWhatWasCheckedOrSaysWhatItMustProve) {
  for (const char* growth : {"", "sync.(*Map).missLocked"}) {
    test::GoNames names;
    names.growth = growth;
    const auto program =
        test::open_program_of(test::make_go_image(PclntabFormat::kGo120, "go1.28.0", names).bytes);
    // The tables of a later version may be refused before any room is asked.
    if (!program) {
      EXPECT_EQ(program.error().kind, ErrorKind::kUnsupported);
      continue;
    }
    size_t refusals = 0;
    size_t unverified = 0;
    for (const Runtime* runtime : all_runtimes()) {
      const auto match = runtime->identify(*program);
      if (match && *match) {
        ++unverified;
        EXPECT_TRUE((*match)->unverified) << runtime->name;
        EXPECT_FALSE((*match)->facts.empty()) << runtime->name;
      }
      if (match) continue;
      ++refusals;
      EXPECT_EQ(match.error().kind, ErrorKind::kUnsupported);
      EXPECT_NE(match.error().text.find("go1.28.0"), std::string::npos) << match.error().text;
    }
    EXPECT_GT(refusals + unverified, 0U);
  }
}

}  // namespace
}  // namespace mapscope
