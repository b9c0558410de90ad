// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_program.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <utility>

#include "agent/binary/go_build_info.h"
#include "tests/paths.h"
#include "tests/support/go_image.h"
#include "tests/support/go_lookups.h"

namespace mapscope {
namespace {

using test::Bytes;
using test::GoImage;
using test::make_go_image;

constexpr uint64_t kHuge = 1ULL << 60;

// Nothing when the bytes are not understood.
std::optional<GoProgram> program_of(const GoImage& image) {
  auto program = test::open_go_of(image.bytes);
  return program ? std::move(*program) : std::nullopt;
}

std::string why_not(const Bytes& bytes) {
  const auto program = test::open_go_of(bytes);
  return program ? "" : program.error().text;
}

std::string text_of(const std::vector<GoFrame>& frames) {
  std::string text;
  for (const GoFrame& frame : frames) {
    text += frame.function + " " + frame.file + ":" + std::to_string(frame.line) + "\n";
  }
  return text;
}

class GoFormats : public testing::TestWithParam<std::pair<PclntabFormat, const char*>> {
 protected:
  GoImage image_ = make_go_image(GetParam().first, GetParam().second);
};

INSTANTIATE_TEST_SUITE_P(All, GoFormats, testing::ValuesIn(test::kGoFormats), [](const auto& test) {
  std::string name(test.param.second);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

TEST_P(GoFormats, BuildInfoGivesVersionExperimentsAndProfile) {
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  EXPECT_EQ(program->build().text, GetParam().second);
  EXPECT_EQ(program->build().version, parse_go_version(GetParam().second));
  EXPECT_EQ(program->build().experiments, std::vector<std::string>{"noswissmap"});
  EXPECT_EQ(program->build().profile, "/a.pgo");
}

TEST_P(GoFormats, FunctionIsFoundByNameAndByAddress) {
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  EXPECT_EQ(program->function_count(), 3U);
  const auto growth = program->find_function(image_.growth);
  ASSERT_TRUE(growth);
  EXPECT_EQ(growth->vaddr, GoImage::kGrowth);
  EXPECT_EQ(growth->size, GoImage::kNewproc1 - GoImage::kGrowth);
  EXPECT_FALSE(program->find_function("main.inner")) << "only inlined";
  EXPECT_FALSE(program->find_function("main.mai"));
  for (const uint64_t at : {GoImage::kGrowth, GoImage::kNewproc1 - 1}) {
    ASSERT_TRUE(program->function_at(at));
    EXPECT_EQ(program->function_at(at)->name, image_.growth);
  }
}

TEST_P(GoFormats, LastFunctionEndsWithTheText) {
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  const auto last = program->function_at(GoImage::kTextEnd - 1);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->vaddr + last->size, GoImage::kTextEnd);
  EXPECT_FALSE(program->function_at(GoImage::kTextEnd));
  EXPECT_FALSE(program->function_at(GoImage::kText - 1));
}

TEST_P(GoFormats, FramesGoFromTheInnermostCallOut) {
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  EXPECT_EQ(text_of(program->frames(GoImage::kMain + 0x18)),
            "main.inner b.go:31\nmain.outer a.go:21\nmain.main a.go:10\n");
  EXPECT_EQ(text_of(program->frames(GoImage::kMain + 0x24)),
            "main.outer a.go:21\nmain.main a.go:10\n");
  EXPECT_EQ(text_of(program->frames(GoImage::kMain + 0x50)), "main.main a.go:12\n");
}

TEST_P(GoFormats, FunctionWithoutTablesHasAFrameWithoutLine) {
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  EXPECT_EQ(text_of(program->frames(GoImage::kGrowth)), image_.growth + " :0\n");
  EXPECT_FALSE(program->stack_depth(GoImage::kGrowth));
}

TEST_P(GoFormats, StackDepthFollowsTheProlog) {
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  EXPECT_EQ(program->stack_depth(GoImage::kMain), 0U);
  EXPECT_EQ(program->stack_depth(GoImage::kMain + 4), 24U);
  EXPECT_EQ(program->stack_depth(GoImage::kMain + 0x70), 0U);
  EXPECT_FALSE(program->stack_depth(GoImage::kTextEnd));
}

TEST_P(GoFormats, InlinedCodeHoldsWhatIsInlinedIntoIt) {
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  const auto code = program->inlined_code(*program->find_function("main.main"));
  ASSERT_EQ(code.size(), 2U);
  EXPECT_EQ(code[0].function, "main.outer");
  EXPECT_EQ(code[0].begin, GoImage::kMain + 0x10);
  EXPECT_EQ(code[0].end, GoImage::kMain + 0x28);
  EXPECT_EQ(code[1].function, "main.inner");
  EXPECT_EQ(code[1].end, GoImage::kMain + 0x20);
  EXPECT_TRUE(program->inlined_code(*program->find_function(image_.growth)).empty());
}

TEST_P(GoFormats, MapTypeHasItsNameAndSizes) {
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  const auto types = program->map_types(10);
  ASSERT_EQ(types, std::vector<uint64_t>{GoImage::vaddr(image_.map_type)});
  const auto map = program->map_type(types[0]);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->name, "map[string]int");
  EXPECT_EQ(map->key_bytes, 16U);
  EXPECT_EQ(map->elem_bytes, 8U);
  EXPECT_EQ(map->group_bytes, program->build().version.minor >= 24 ? 200U : 208U);
  EXPECT_FALSE(program->map_type(types[0] - 48)) << "the type before it is an int";
  EXPECT_TRUE(program->map_types(0).empty());
}

TEST_P(GoFormats, GoroutineLayoutIsHeldAgainstTheCode) {
  const auto elf = test::open_image_of(image_.bytes);
  ASSERT_TRUE(elf);
  const auto layout = goroutine_layout(*elf, *program_of(image_));
  ASSERT_TRUE(layout) << layout.error().text;
  EXPECT_EQ(layout->status + 8, layout->goid);
  // Now newproc1 stores where a goroutine starts elsewhere.
  image_.put(GoImage::kNewproc1 - GoImage::kBase + 3, 400);
  const auto changed = test::open_image_of(image_.bytes);
  const auto refused = goroutine_layout(*changed, *program_of(image_));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsupported);
}

TEST_P(GoFormats, TruncatedFileIsRefusedOrAnswersWithinItself) {
  for (size_t bytes = 0; bytes < image_.bytes.size(); bytes += 7) {
    // Segments that end outside the file are refused, so let them end with it.
    GoImage cut = image_;
    cut.bytes.resize(bytes);
    for (size_t i = 0; i < 2 && bytes > 512; ++i) {
      const size_t segment = cut.segments + i * 56;
      uint64_t offset = 0;
      std::memcpy(&offset, cut.bytes.data() + segment + 8, 8);
      cut.put(segment + 32, offset < bytes ? std::min<uint64_t>(bytes - offset, 1 << 16) : 0);
      if (offset >= bytes) cut.put(segment + 8, uint64_t{0});
    }
    test::ask_everything(cut.bytes);
  }
}

TEST_P(GoFormats, ChangedBytesNeverCrash) {
  std::mt19937 random(20240817);  // NOLINT(cert-msc51-cpp): the same each time
  size_t opened = 0;
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = image_.bytes;
    for (int i = 0; i < 4; ++i) {
      bytes[image_.pclntab + random() % (bytes.size() - image_.pclntab)] =
          static_cast<uint8_t>(random());
    }
    opened += test::ask_everything(bytes) ? 1 : 0;
  }
  EXPECT_GT(opened, 100U) << "the changes must reach the look-ups";
}

TEST_P(GoFormats, CountsBeyondTheFileAreRefused) {
  image_.put(image_.pclntab + 8, kHuge);
  EXPECT_NE(why_not(image_.bytes), "");
}

TEST_P(GoFormats, RingOfInlinedCallsHasNoFrames) {
  // main.outer claims to stand inside main.inner's code, which is inside main.outer.
  image_.put(image_.inline_tree + image_.inline_entry_bytes -
                 (GetParam().first < PclntabFormat::kGo120 ? 4 : 8),
             0x18);
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  EXPECT_TRUE(program->frames(GoImage::kMain + 0x18).empty());
  EXPECT_EQ(program->inlined_code(*program->find_function("main.main")).size(), 2U);
}

TEST_P(GoFormats, ValueTableWithoutEndIsUnknown) {
  for (size_t i = image_.pc_values + image_.pcsp; i < image_.bytes.size(); ++i) {
    image_.bytes[i] = i < image_.inline_tree ? 0xff : image_.bytes[i];
  }
  const auto program = program_of(image_);
  if (!program) return;  // the tables behind it went as well
  EXPECT_FALSE(program->stack_depth(GoImage::kMain + 4));
  EXPECT_EQ(program->frames(GoImage::kMain + 4).size(), 1U);
}

TEST_P(GoFormats, NameWithoutEndIsNotFound) {
  // Without sections the table goes to the end of its segment.
  const size_t end = image_.build_info;
  image_.put_bytes(end - 4, "main", 4);
  const bool is_relative = GetParam().first >= PclntabFormat::kGo118;
  image_.put(image_.main_record + (is_relative ? 4 : 8),
             static_cast<uint32_t>(end - 4 - image_.names));
  const auto program = program_of(image_);
  ASSERT_TRUE(program);
  EXPECT_FALSE(program->find_function("main"));
  EXPECT_FALSE(program->function_at(GoImage::kMain));
  EXPECT_TRUE(program->frames(GoImage::kMain).empty());
  EXPECT_TRUE(program->find_function(image_.growth)) << "the others are still there";
}

TEST_P(GoFormats, CodeInSeveralSectionsIsRefused) {
  Bytes bytes = image_.bytes;
  // The length of the slice of text sections is the last word of the module data that is 1.
  for (size_t at = image_.module_data + 392; at > image_.module_data; at -= 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    if (word != 1) continue;
    const uint64_t two = 2;
    std::memcpy(bytes.data() + at - 8, &two, 8);
    break;
  }
  EXPECT_NE(why_not(bytes).find("several sections"), std::string::npos) << why_not(bytes);
}

TEST(GoBuildInfo, VersionsAreReadFromEveryForm) {
  const std::pair<const char*, GoVersion> known[] = {{"go1.27.4", {1, 27, 4}},
                                                     {"go1.24rc1", {1, 24, 0}},
                                                     {"go1.24.4 X:noswissmap", {1, 24, 4}},
                                                     {"go1.19", {1, 19, 0}},
                                                     {"devel go1.28-abcdef Mon Jan 2", {1, 28, 0}},
                                                     {"go1.20.7+b1", {1, 20, 7}}};
  for (const auto& [text, version] : known) EXPECT_EQ(parse_go_version(text), version) << text;
  for (const char* text : {"", "go", "go1", "go1.", "devel +abcdef", "gox.y", "1.24.4", "go-1.2"}) {
    EXPECT_FALSE(parse_go_version(text)) << text;
  }
}

TEST(GoBuildInfo, ExperimentsStandBehindTheVersion) {
  using Names = std::vector<std::string>;
  const std::pair<const char*, Names> known[] = {
      {"go1.24.4 X:noswissmap", {"noswissmap"}},
      {"go1.25.0 X:jsonv2,noswissmap", {"jsonv2", "noswissmap"}},
      {"go1.26.0-X:jsonv2,greenteagc", {"jsonv2", "greenteagc"}},
      {"go1.26.0-custom X:jsonv2", {"jsonv2"}},
      {"go1.26.0", {}},
      {"go1.26.0-X:", {}},
      {"X:jsonv2", {}},
      {"go1.26.0-MAX:jsonv2", {}}};
  for (const auto& [text, names] : known) {
    GoBuild build;
    set_go_version(&build, text);
    EXPECT_EQ(build.experiments, names) << text;
  }
}

TEST(GoBuild, WithoutSettingsAProfileIsPossibleSince120) {
  GoBuild build;
  EXPECT_TRUE(build.may_have_profile()) << "of unknown version";
  build.version = {1, 19, 8};
  EXPECT_FALSE(build.may_have_profile());
  build.version = {1, 20, 0};
  EXPECT_TRUE(build.may_have_profile());
  build.has_settings = true;
  EXPECT_FALSE(build.may_have_profile());
  build.profile = "default.pgo";
  EXPECT_TRUE(build.may_have_profile());
}

TEST(GoProgram, DevelopmentVersionWithoutANumberIsNamed) {
  const std::string why = why_not(make_go_image(PclntabFormat::kGo120, "devel +0123456789").bytes);
  EXPECT_NE(why.find("devel +0123456789"), std::string::npos) << why;
}

TEST(GoProgram, LaterVersionOpensAsLongAsItsTablesAreKnown) {
  GoImage image = make_go_image(PclntabFormat::kGo120, "go1.31.2");
  const auto program = program_of(image);
  ASSERT_TRUE(program);
  EXPECT_EQ(program->build().version, (GoVersion{1, 31, 2}));
  const auto elf = test::open_image_of(image.bytes);
  const auto layout = goroutine_layout(*elf, *program);
  ASSERT_FALSE(layout);
  EXPECT_NE(layout.error().text.find("go1.31.2"), std::string::npos) << layout.error().text;
}

TEST(GoProgram, UnknownTablesAreUnsupportedWithTheVersion) {
  GoImage image = make_go_image(PclntabFormat::kGo120, "go1.31.2");
  image.put(image.pclntab, 0xffffff00U);
  const auto program = test::open_go_of(image.bytes);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(program.error().text.find("go1.31.2"), std::string::npos) << program.error().text;
}

TEST(GoProgram, TablesThatContradictEachOtherAreCorrupt) {
  GoImage image = make_go_image(PclntabFormat::kGo120, "go1.24.4");
  image.put(image.module_data + 176, GoImage::kText + 16);  // the base of all addresses
  const auto program = test::open_go_of(image.bytes);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().kind, ErrorKind::kCorrupt);
}

TEST(GoProgram, VersionIsTakenFromTheTablesWhenBuildInfoIsUnreadable) {
  for (const auto& [format, version] : test::kGoFormats) {
    GoImage image = make_go_image(format, version);
    image.put(image.build_info + 16, kHuge);
    image.put(image.build_info + 32, ~uint64_t{0});
    const auto program = program_of(image);
    ASSERT_TRUE(program) << version;
    EXPECT_EQ(program->build().text, "");
    EXPECT_EQ(program->build().version, GoVersion{});
    EXPECT_EQ(text_of(program->frames(GoImage::kMain + 0x24)),
              "main.outer a.go:21\nmain.main a.go:10\n");
  }
}

TEST(GoProgram, SegmentAtTheEndOfTheAddressSpaceHoldsNothing) {
  GoImage image = make_go_image(PclntabFormat::kGo120, "go1.24.4");
  const size_t writable = image.segments + 56;
  image.put(writable + 16, ~uint64_t{0} - 10);  // its address: no multiple of 16 follows
  image.put(writable + 32, uint64_t{8});        // its bytes
  const auto program = test::open_go_of(image.bytes);
  ASSERT_TRUE(program) << program.error().text;
  EXPECT_FALSE(*program);
}

TEST(GoProgram, NativeProgramIsNone) {
  const auto program = test::open_go_of(test::read_file(MAPSCOPE_FIXTURE_CONTRACT_PIE));
  ASSERT_TRUE(program) << program.error().text;
  EXPECT_FALSE(*program);
}

}  // namespace
}  // namespace mapscope
