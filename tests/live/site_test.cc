// SPDX-License-Identifier: Apache-2.0
// What the planner believes about the kernel's uprobes, asked of the kernel.
#include "agent/plan/site.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "agent/overhead/self_probe.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

class KernelAndPlanner : public testing::Test {
 protected:
  // The kernel looks at an instruction when a process has mapped it.
  void SetUp() override {
    library_ = dlopen(MAPSCOPE_FIXTURE_SHAPES, RTLD_NOW);
    ASSERT_NE(library_, nullptr) << dlerror();
  }
  void TearDown() override {
    if (library_ != nullptr) dlclose(library_);
  }

  [[nodiscard]] Status probe(uint64_t vaddr, AttachMethod method) const {
    const uint64_t offset = program_.value().elf.file_offset(vaddr).value();
    Result<SelfProbe> attached =
        SelfProbe::attach_at(MAPSCOPE_FIXTURE_SHAPES, {&offset, 1}, method);
    if (!attached) return std::move(attached).error();
    return Done{};
  }
  [[nodiscard]] AttachMethod method() const {
    return kernel_.has_uprobe_multi() ? AttachMethod::kMulti : AttachMethod::kPerf;
  }

  const KernelFacts kernel_ = running_kernel().value();
  const Result<Program> program_ = test::open_program(MAPSCOPE_FIXTURE_SHAPES);
  void* library_ = nullptr;
};

TEST_F(KernelAndPlanner, AcceptEveryPlannedSite) {
  for (const char* name :
       {"nop_nop5", "endbr_push", "stack_first", "load_then_push", "argument_then_push",
        "low_argument_then_push", "store_then_push", "loop_after_entry", "cs_nop_then_nop",
        "page_end", "two_returns", "jump_to_return", "nop5_before_return"}) {
    const Result<FunctionCode> function = read_function(program_.value(), name);
    ASSERT_TRUE(function) << function.error().text;
    const Result<ChosenSite> entry = choose_entry(*function, kernel_);
    ASSERT_TRUE(entry) << entry.error().text;
    const Status probed = probe(entry->instruction->vaddr, method());
    EXPECT_TRUE(probed) << name << ": " << probed.error().text;
  }
}

TEST_F(KernelAndPlanner, AcceptEveryPlannedExit) {
  for (const char* name : {"two_returns", "jump_to_return", "endbr_push", "nop5_before_return"}) {
    const Result<FunctionCode> function = read_function(program_.value(), name);
    ASSERT_TRUE(function) << function.error().text;
    const Result<std::vector<ChosenSite>> exits = choose_exits(*function, kernel_);
    ASSERT_TRUE(exits) << exits.error().text;
    for (const ChosenSite& site : *exits) {
      const Status probed = probe(site.instruction->vaddr, method());
      EXPECT_TRUE(probed) << name << ": " << probed.error().text;
    }
  }
}

TEST_F(KernelAndPlanner, RefuseTheSameInstructions) {
  for (const char* name : {"locked_entry", "cs_nop_then_nop"}) {
    const auto symbol = program_.value().find_function(name);
    ASSERT_TRUE(symbol);
    EXPECT_FALSE(probe(symbol->vaddr, method())) << name;
    EXPECT_FALSE(probe(symbol->vaddr, AttachMethod::kPerf)) << name;
  }
}

}  // namespace
}  // namespace mapscope
