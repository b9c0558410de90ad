// SPDX-License-Identifier: Apache-2.0
// agent/doctor.h – `agent doctor`: can this kernel and this user do it, and what a probe costs
// here.
//
// Every check does the real thing (loads a program, attaches a probe to the agent itself); none
// only reads a version. Works without privilege and then says what is missing. Exit status: 0 the
// agent can work, 1 it cannot.
//
// --json prints one object; "probe_cost_ns" is absent when it could not be measured:
//   {"ok":true,"kernel":"6.18.44","checks":[{"name":"btf","state":"ok","finding":"…"},
//     {"name":"capabilities","state":"fail","finding":"…","remedy":"…"}],
//    "privileges":{"modes":[{"mode":"every
//    process","needed":["BPF",…],"missing":["SYS_PTRACE"]},…],
//      "perf_needs_sys_admin":true,"grants":{"file":"setcap …","systemd":"…","kubernetes":"…"}},
//    "probe_cost_ns":{"nop":690,"push":810,"single_stepped":10400}}
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/doctor_privileges.h"
#include "agent/overhead/calibration.h"

namespace mapscope {

struct DoctorOptions {
  bool json = false;
};

enum class CheckState { kOk, kWarn, kFail };
// ok, warn, fail.
std::string_view to_string(CheckState state);

struct Check {
  std::string name;  // one word
  CheckState state = CheckState::kOk;
  std::string finding;  // what is, and what it means
  std::string remedy;   // one line; "" when ok
};

struct Diagnosis {
  std::string kernel;  // release
  std::vector<Check> checks;
  PrivilegeReport privileges;
  std::optional<ProbeCosts> costs;
  [[nodiscard]] bool ok() const;  // no check failed
};

// Takes under half a second. Attaches to and detaches from this process.
Diagnosis diagnose();

std::string diagnosis_text(const Diagnosis& diagnosis);
std::string diagnosis_json(const Diagnosis& diagnosis);

// Prints to standard output; returns the exit status.
int run_doctor(const DoctorOptions& options);

}  // namespace mapscope
