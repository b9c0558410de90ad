// SPDX-License-Identifier: Apache-2.0
// What each BPF program costs the kernel's verifier, which refuses a program of more than a million
// steps: known for each, and bounded far below, on every kernel that the tests run on.
//
// tests/kernels/run shows the numbers of all kernels side by side. A bound is about 1.5 times the
// largest of them; a program that exceeds it has changed, and may have come to a loop that the
// verifier unrolls otherwise.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/attach/programs.h"
#include "agent/plan/probe_plan.h"
#include "tests/support/kernel_objects.h"

namespace mapscope::test {
namespace {

struct Bound {
  std::string_view program;
  uint32_t steps;
};

constexpr std::array kBounds = {
    Bound{"begin_resize", 12400},     Bound{"end_sync", 4300},     Bound{"end_resize", 6900},
    Bound{"cancel_resize", 2000},     Bound{"report_point", 8400}, Bound{"report_fatal", 9700},
    Bound{"note_failed_check", 1900}, Bound{"count_insert", 1050}, Bound{"end_insert", 4400},
    Bound{"begin_write", 8000},       Bound{"end_write", 650},     Bound{"switch_threads", 730},
    Bound{"wake_thread", 65},         Bound{"finish_wake", 65},    Bound{"exit_thread", 135},
    Bound{"exec_process", 135},       Bound{"fork_process", 80},   Bound{"identify_mapping", 180},
    Bound{"clear_insert_types", 250},
};

// The kernel keeps so much of a name.
std::string_view kept(std::string_view name) { return name.substr(0, BPF_OBJ_NAME_LEN - 1); }

// Of the programs of this process, by what the kernel keeps of their names.
std::map<std::string, uint32_t> verified_steps() {
  std::map<std::string, uint32_t> steps;
  for (const uint32_t id : kernel_objects_of(::getpid()).programs) {
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    EXPECT_EQ(bpf_obj_get_info_by_fd(fd.get(), &info, &size), 0);
    steps[info.name] = info.verified_insns;
  }
  return steps;
}

std::vector<AttachMethod> methods() {
  if (!running_kernel().value().has_uprobe_multi()) return {AttachMethod::kPerf};
  return {AttachMethod::kPerf, AttachMethod::kMulti};
}

// The version and the distribution's own part of it, without the flavour.
std::string kernel_release() {
  utsname names{};
  ::uname(&names);
  const std::string release = names.release;
  const size_t flavour = release.find_first_of("abcdefghijklmnopqrstuvwxyz", release.find('-') + 1);
  return release.substr(0, flavour - 1);
}

TEST(Verifier, TakesFewStepsForEachProgram) {
  std::map<std::string, uint32_t> most;
  for (const AttachMethod method : methods()) {
    for (const Mode mode : {Mode::kResizes, Mode::kInserts, Mode::kRaces}) {
      const Result<Programs> programs = Programs::load({}, method, mode, true);
      ASSERT_TRUE(programs) << programs.error().text;
      for (const auto& [name, steps] : verified_steps()) most[name] = std::max(most[name], steps);
    }
  }
  RecordProperty("kernel", kernel_release());
  RecordProperty("attach_method", methods().back() == AttachMethod::kMulti ? "multi" : "perf");
  for (const auto& [program, bound] : kBounds) {
    const std::string name(kept(program));
    ASSERT_TRUE(most.contains(name)) << program << " is in no mode";
    RecordProperty("steps." + std::string(program), static_cast<int>(most.at(name)));
    RecordProperty("bound." + std::string(program), static_cast<int>(bound));
    EXPECT_GT(most.at(name), 0U) << program;
    EXPECT_LE(most.at(name), bound) << program;
    most.erase(name);
  }
  for (const auto& [name, steps] : most) ADD_FAILURE() << name << " has no bound: " << steps;
}

}  // namespace
}  // namespace mapscope::test
