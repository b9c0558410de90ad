// SPDX-License-Identifier: Apache-2.0
// What the planner believes about the kernel's uprobes, asked of the kernel.
#include "agent/plan/site.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/overhead/self_probe.h"
#include "tests/paths.h"
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

// A kernel may do to a probed instruction what it does not copy into a child: a 5-byte nop is no
// site because of that.
class ForkedChild : public KernelAndPlanner {
 protected:
  static constexpr int kCalls = 100;

  // Each way of passing a probed instruction, and all of a function's planned sites at once.
  static constexpr std::array kFunctions = {
      "nop_nop5",     "endbr_push",     "stack_first",        "load_then_push",
      "branch_first", "jump_first",     "call_first",         "two_returns",
      "page_end",     "jump_to_return", "nop5_before_return",
  };

  void plan() {
    for (const char* name : kFunctions) {
      const Result<FunctionCode> function = read_function(program_.value(), name);
      ASSERT_TRUE(function) << function.error().text;
      const Result<ChosenSite> entry = choose_entry(*function, kernel_);
      ASSERT_TRUE(entry) << entry.error().text;
      add(*entry);
      const Result<std::vector<ChosenSite>> exits = choose_exits(*function, kernel_);
      ASSERT_TRUE(exits) << exits.error().text;
      std::ranges::for_each(*exits, [&](const ChosenSite& site) { add(site); });
    }
    EXPECT_EQ(classes_, (std::set{SiteClass::kEmulated, SiteClass::kSingleStepped}));
  }

  void attach() {
    ASSERT_NO_FATAL_FAILURE(plan());
    const std::vector<uint64_t> offsets(offsets_.begin(), offsets_.end());
    auto attached = SelfProbe::attach_at(MAPSCOPE_FIXTURE_SHAPES, offsets, method());
    ASSERT_TRUE(attached) << attached.error().text;
    probes_.emplace(std::move(*attached));
    call_all();
    EXPECT_GE(probes_->hits(), kFunctions.size() * kCalls);
  }

  void call_all() const {
    for (const char* name : kFunctions) {
      auto* function = reinterpret_cast<void (*)(uint64_t*)>(::dlsym(library_, name));
      uint64_t word = 1;
      for (int call = 0; call < kCalls; ++call) function(&word);
    }
  }

  // Has a child call them all once `before` is done. Its wait status.
  template <typename Before>
  int status_of_child(const Before& before) {
    std::array<int, 2> gate{};
    EXPECT_EQ(::pipe(gate.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      char byte = 0;
      ::alarm(60);
      if (::read(gate[0], &byte, 1) != 1) ::_exit(1);
      call_all();
      ::_exit(0);
    }
    before();
    EXPECT_EQ(::write(gate[1], "", 1), 1);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    ::close(gate[0]);
    ::close(gate[1]);
    return status;
  }

  std::optional<SelfProbe> probes_;

 private:
  void add(const ChosenSite& site) {
    classes_.insert(site.site_class);
    offsets_.insert(program_.value().elf.file_offset(site.instruction->vaddr).value());
  }

  std::set<uint64_t> offsets_;
  std::set<SiteClass> classes_;
};

TEST_F(ForkedChild, LivesWhileItsParentIsProbed) {
  ASSERT_NO_FATAL_FAILURE(attach());
  EXPECT_EQ(status_of_child([] {}), 0);
}

TEST_F(ForkedChild, LivesWhenTheProbesGoAfterTheFork) {
  ASSERT_NO_FATAL_FAILURE(attach());
  EXPECT_EQ(status_of_child([this] { probes_.reset(); }), 0);
}

TEST_F(ForkedChild, LivesWhenTheProbesWentBeforeTheFork) {
  ASSERT_NO_FATAL_FAILURE(attach());
  probes_.reset();
  EXPECT_EQ(status_of_child([] {}), 0);
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
