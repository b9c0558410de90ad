// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/symbolizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/runtimes/runtime.h"
#include "tests/paths.h"
#include "tests/support/stack_program.h"

namespace mapscope::test {
namespace {

Symbolizer make_symbolizer(const SymbolizerLimits& limits = {}) {
  Result<Symbolizer> symbolizer = Symbolizer::create(limits);
  if (!symbolizer) std::abort();
  return std::move(*symbolizer);
}

// "function file:line", innermost first, up to main; the folders of the file are left out.
std::vector<std::string> describe(const StackPtr& stack) {
  std::vector<std::string> lines;
  if (stack == nullptr) return lines;
  for (const Frame& frame : stack->frames) {
    const std::string path(frame.file.view());
    const std::string function(frame.function.view());
    const std::string file = path.substr(path.rfind('/') + 1);
    lines.push_back(fmt::format("{} {}:{}", function, file, frame.line));
    if (function == "main") break;
  }
  return lines;
}

std::string at(const std::string& function, const std::string& file, const std::string& mark) {
  return function + " " + file + ":" + std::to_string(marked_line(file, mark));
}

std::vector<std::string> expected_chain() {
  return {at("stacks::capture(ms_stack_record&)", "capture.h", "capture"),
          at("stacks::stop(int)", "program.cc", "stop"),
          at("stacks::through_inlined(int)", "program.cc", "inlined"),
          at("stacks::in_template<int>(int)", "program.cc", "template"),
          at("stacks_library_apply", "library.cc", "library"),
          at("stacks::outer(int (*)(int (*)(int), int))", "program.cc", "outer"),
          at("stacks::run(char const*)", "program.cc", "run"),
          at("main", "program.cc", "main")};
}

// A program, stopped at the end of its chain, and a symbolizer that knows it.
struct Scene {
  Scene(const std::string& path, const std::string& mode, const SymbolizerLimits& limits = {})
      : program(path, mode),
        record(program.read_record()),
        process(program.process()),
        target(StackProgram::target_of(process)),
        symbolizer(make_symbolizer(limits)) {
    const Status added = symbolizer.add_target(target, process);
    if (!added) ADD_FAILURE() << added.error().text;
  }
  StackPtr resolve(std::string_view map_type = "") {
    return symbolizer.resolve(target, record, target.runtime, map_type);
  }

  StackProgram program;
  ms_stack_record record;
  Process process;
  Target target;
  Symbolizer symbolizer;
};

class SymbolizerBuilds : public testing::TestWithParam<const char*> {};

TEST_P(SymbolizerBuilds, ChainHasFunctionsAndLines) {
  Scene scene(GetParam(), "chain");
  EXPECT_EQ(describe(scene.resolve()), expected_chain());
}

TEST_P(SymbolizerBuilds, ChainOfDeadProcessHasFunctionsAndLines) {
  Scene scene(GetParam(), "chain");
  scene.program.stop();
  EXPECT_EQ(describe(scene.resolve()), expected_chain());
}

INSTANTIATE_TEST_SUITE_P(
    , SymbolizerBuilds,
    testing::Values(MAPSCOPE_FIXTURE_STACKS_PIE, MAPSCOPE_FIXTURE_STACKS_NO_PIE,
                    MAPSCOPE_FIXTURE_STACKS_FRAME_POINTER, MAPSCOPE_FIXTURE_STACKS_DWARF4,
                    MAPSCOPE_FIXTURE_STACKS_COMPRESSED, MAPSCOPE_FIXTURE_STACKS_NO_ARANGES,
                    MAPSCOPE_FIXTURE_STACKS_NO_TABLES, MAPSCOPE_FIXTURE_STACKS_SPLIT),
    [](const auto& test) {
      return std::filesystem::path(test.param).filename().string().substr(sizeof("fixture_") - 1);
    });

TEST(Symbolizer, StrippedProgramHasModulesAndAllFrames) {
  Scene named(MAPSCOPE_FIXTURE_STACKS_PIE, "chain");
  Scene stripped(MAPSCOPE_FIXTURE_STACKS_STRIPPED, "chain");
  const StackPtr expected = named.resolve();
  const StackPtr stack = stripped.resolve();
  ASSERT_NE(expected, nullptr);
  ASSERT_NE(stack, nullptr);
  constexpr size_t kInlined = 2;
  ASSERT_EQ(stack->frames.size(), expected->frames.size() - kInlined);
  EXPECT_EQ(stack->frames[0].function, "");
  EXPECT_EQ(stack->frames[0].module, MAPSCOPE_FIXTURE_STACKS_STRIPPED);
  EXPECT_EQ(stack->frames[2].function, "stacks_library_apply");
}

TEST(Symbolizer, StrippedFrameHasTheAddressInItsFile) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_STRIPPED, "chain");
  const StackPtr stack = scene.resolve();
  ASSERT_NE(stack, nullptr);
  // The program is mapped page by page at an address that only the kernel chose.
  const Frame& frame = stack->frames[0];
  EXPECT_LT(frame.module_address, std::filesystem::file_size(MAPSCOPE_FIXTURE_STACKS_STRIPPED));
  EXPECT_EQ(frame.module_address % 4096, frame.address % 4096);
}

TEST(Symbolizer, SignalFrameIsUnwoundThrough) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "signal");
  const std::vector<std::string> lines = describe(scene.resolve());
  ASSERT_GE(lines.size(), 5U);
  EXPECT_EQ(lines[2], at("stacks::handler(int)", "program.cc", "handler"));
  EXPECT_EQ(lines[lines.size() - 2], at("stacks::run(char const*)", "program.cc", "raise"));
}

TEST(Symbolizer, DeepStackStopsAtTheLimit) {
  SymbolizerLimits limits;
  limits.max_frames = 16;
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "deep", limits);
  const StackPtr stack = scene.resolve();
  ASSERT_NE(stack, nullptr);
  constexpr size_t kInlined = 1;
  EXPECT_EQ(stack->frames.size(), limits.max_frames + kInlined);
}

TEST(Symbolizer, LibraryLoadedLaterIsFound) {
  SymbolizerLimits limits;
  limits.reload_interval = std::chrono::milliseconds(0);
  StackProgram program(MAPSCOPE_FIXTURE_STACKS_PIE, "late");
  program.await_ready();
  const Process process = program.process();
  const Target target = StackProgram::target_of(process);
  Symbolizer symbolizer = make_symbolizer(limits);
  ASSERT_TRUE(symbolizer.add_target(target, process).ok());
  program.go_on();
  const ms_stack_record record = program.read_record();
  const std::vector<std::string> lines =
      describe(symbolizer.resolve(target, record, target.runtime, ""));
  ASSERT_GE(lines.size(), 6U);
  EXPECT_EQ(lines[4], at("stacks_library_apply", "library.cc", "library"));
  EXPECT_EQ(lines[5], expected_chain()[5]);
  EXPECT_EQ(symbolizer.counts().reloads, 1U);
}

TEST(Symbolizer, DeletedProgramIsNamed) {
  const std::filesystem::path copy =
      std::filesystem::temp_directory_path() / ("mapscope_deleted_" + std::to_string(::getpid()));
  std::filesystem::copy_file(MAPSCOPE_FIXTURE_STACKS_PIE, copy);
  StackProgram program(copy, "chain");
  const ms_stack_record record = program.read_record();
  std::filesystem::remove(copy);
  const Process process = program.process();
  const Target target = StackProgram::target_of(process);
  Symbolizer symbolizer = make_symbolizer();
  ASSERT_TRUE(symbolizer.add_target(target, process).ok());
  EXPECT_EQ(describe(symbolizer.resolve(target, record, target.runtime, "")), expected_chain());
}

TEST(Symbolizer, SameStackAgainIsTheSameObject) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "chain");
  const StackPtr stack = scene.resolve();
  ASSERT_NE(stack, nullptr);
  EXPECT_EQ(scene.resolve(), stack);
  EXPECT_NE(scene.resolve("another map type"), stack);
  EXPECT_EQ(scene.symbolizer.counts().resolved, 3U);
}

TEST(Symbolizer, SessionsBeyondTheLimitForgetAndComeBack) {
  SymbolizerLimits limits;
  limits.max_open_sessions = 1;
  Scene first(MAPSCOPE_FIXTURE_STACKS_PIE, "chain", limits);
  StackProgram other(MAPSCOPE_FIXTURE_STACKS_NO_PIE, "chain");
  const ms_stack_record record = other.read_record();
  const Process process = other.process();
  const Target target = StackProgram::target_of(process);
  ASSERT_TRUE(first.symbolizer.add_target(target, process).ok());
  const StackPtr stack = first.resolve();
  EXPECT_EQ(describe(first.symbolizer.resolve(target, record, target.runtime, "")),
            expected_chain());
  EXPECT_EQ(first.resolve(), stack);
  EXPECT_EQ(describe(first.resolve("not seen before")), expected_chain());
}

TEST(Symbolizer, RemovedTargetIsUnknownButItsStacksStay) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "chain");
  const StackPtr stack = scene.resolve();
  scene.symbolizer.remove_target(scene.target.id);
  EXPECT_EQ(scene.resolve(), nullptr);
  EXPECT_EQ(scene.symbolizer.counts().unresolved, 1U);
  EXPECT_EQ(describe(stack), expected_chain());
}

TEST(Symbolizer, AnotherProcessWithThePidIsRefused) {
  StackProgram program(MAPSCOPE_FIXTURE_STACKS_PIE, "chain");
  program.read_record();
  Process process = program.process();
  ++process.start_ticks;
  const Target target = StackProgram::target_of(process);
  const Status added = make_symbolizer().add_target(target, process);
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().kind, ErrorKind::kNotFound);
}

TEST(Symbolizer, LimitOfZeroIsRefused) {
  SymbolizerLimits limits;
  limits.max_frames = 0;
  EXPECT_FALSE(Symbolizer::create(limits).ok());
}

TEST(Symbolizer, DebugInformationBeyondTheLimitLeavesSymbols) {
  SymbolizerLimits limits;
  limits.max_debug_bytes = 1;
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "chain", limits);
  const std::vector<std::string> lines = describe(scene.resolve());
  ASSERT_GE(lines.size(), 2U);
  EXPECT_EQ(lines[0], "stacks::stop(int) :0");
  EXPECT_EQ(lines[1], "stacks::in_template<int>(int) :0");
}

bool is_stacks_namespace(std::string_view function, std::string_view map_type) {
  return function.starts_with(std::string(map_type) + "::");
}

TEST(Symbolizer, SiteIsTheFirstFrameOutsideTheMap) {
  Runtime runtime{};
  runtime.is_map_code = is_stacks_namespace;
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "chain");
  scene.target.runtime = &runtime;
  const StackPtr stack = scene.resolve("stacks");
  ASSERT_NE(stack, nullptr);
  ASSERT_NE(stack->site_frame(), nullptr);
  EXPECT_EQ(stack->site_frame()->function, "stacks_library_apply");
  EXPECT_TRUE(stack->frames[0].map_code);
}

TEST(Symbolizer, WithoutRuntimeTheSiteIsTheFirstFrame) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "chain");
  const StackPtr stack = scene.resolve();
  ASSERT_NE(stack, nullptr);
  EXPECT_EQ(stack->site, 0);
}

}  // namespace
}  // namespace mapscope::test
