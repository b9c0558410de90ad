// SPDX-License-Identifier: Apache-2.0
// agent/doctor_checks.h – the single examinations of `agent doctor`, each independent of the
// others.
//
// Each does what the agent will do and undoes it; none throws, waits or needs privilege to fail.
#pragma once

#include <string>
#include <vector>

#include "agent/doctor.h"
#include "agent/plan/probe_plan.h"

namespace mapscope {

Check check_kernel(const std::string& release);
Check check_capabilities();
Check check_btf();
Check check_bpf();          // loads a program and maps a map
Check check_ring_buffer();  // creates one
Check check_scheduler();    // loads a tp_btf program for sched_switch
Check check_uprobe_perf();  // attaches to this process and is hit
// Where the kernel has it (6.6), it must work; below it is a warning.
Check check_uprobe_multi(const std::string& release);
Check check_lockdown();
Check check_perf_paranoid();
Check check_jit();
Check check_go();  // which versions this agent knows

}  // namespace mapscope
