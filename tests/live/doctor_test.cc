// SPDX-License-Identifier: Apache-2.0
#include "agent/doctor.h"

#include <cap-ng.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "agent/privileges.h"

namespace mapscope {
namespace {

TEST(Doctor, FindsAWorkingHostWorking) {
  const Diagnosis found = diagnose();
  EXPECT_TRUE(found.ok()) << diagnosis_text(found);
  ASSERT_TRUE(found.costs) << diagnosis_text(found);
  EXPECT_GT(found.costs->nop_ns, 0);
  EXPECT_GT(found.costs->push_ns, 0);
  EXPECT_GT(found.costs->single_stepped_ns, 0);
}

TEST(Doctor, WithoutPrivilegeSaysWhatIsMissing) {
  const auto diagnose_as_nobody = [] {
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) std::exit(3);
    const Diagnosis found = diagnose();
    std::fputs(diagnosis_text(found).c_str(), stderr);
    std::exit(found.ok() || found.costs ? 0 : 1);
  };
  EXPECT_EXIT(diagnose_as_nobody(), testing::ExitedWithCode(1), "without BPF, PERFMON");
  // How to grant it: to the file, in a unit, in Kubernetes.
  EXPECT_EXIT(diagnose_as_nobody(), testing::ExitedWithCode(1),
              "setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search.*"
              "AmbientCapabilities=CAP_BPF CAP_PERFMON.*"
              "add: .BPF, PERFMON, SYS_PTRACE, DAC_READ_SEARCH");
}

// What is not needed on this kernel does not fail the diagnosis, and is told where it matters.
TEST(Doctor, IsContentWithWhatTheKernelNeeds) {
  const auto diagnose_with_little = [] {
    const auto kernel = running_kernel();
    capng_clear(CAPNG_SELECT_BOTH);
    for (const Capability& capability : kNeededCapabilities)
      capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                   capability.number);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) std::exit(3);
    const Diagnosis found = diagnose();
    const auto json = nlohmann::json::parse(diagnosis_json(found));
    const auto& every = json.at("privileges").at("modes").at(1);
    const bool wants_admin =
        !kernel->has_uprobe_multi() && json.at("privileges").at("perf_needs_sys_admin");
    const nlohmann::json missing =
        wants_admin ? nlohmann::json{"SYS_ADMIN"} : nlohmann::json::array();
    std::fputs(json.dump().c_str(), stderr);
    std::exit(every.at("missing") == missing && found.ok() == !wants_admin ? 0 : 1);
  };
  EXPECT_EXIT(diagnose_with_little(), testing::ExitedWithCode(0), "every process");
}

}  // namespace
}  // namespace mapscope
