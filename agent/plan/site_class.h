// SPDX-License-Identifier: Apache-2.0
// agent/plan/site_class.h – what the kernel's uprobes do with an instruction, and so what a probe
// on it costs.
//
// Source: Linux arch/x86/kernel/uprobes.c (is_prefix_bad, good_insns_64, good_2byte_insns,
// branch_setup_xol_ops, push_setup_xol_ops), 6.1 to 6.18, and measurements on 6.18. Where versions
// differ the stricter is taken; some system instructions that kernels accept are refused as well.
//
// A 5-byte nop is never a site. Linux 6.18 turns a probed one into a call to a trampoline that fork
// does not copy: the forked child dies at that call, also when nothing watches any more. The call
// also overwrites the red zone. Which other kernels have taken that over cannot be read from their
// version, so none is trusted; a 1-byte nop costs a trap instead.
#pragma once

#include "agent/base/result.h"
#include "agent/binary/instruction.h"
#include "agent/plan/probe_plan.h"

namespace mapscope {

// Errors: kUnsupported when the kernel refuses the instruction, or a probe there would harm the
// program or its children.
Result<SiteClass> site_class(const Instruction& in, const KernelFacts& kernel);

}  // namespace mapscope
