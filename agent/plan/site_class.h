// SPDX-License-Identifier: Apache-2.0
// agent/plan/site_class.h – what the kernel's uprobes do with an instruction, and so what a probe
// on it costs.
//
// Source: Linux arch/x86/kernel/uprobes.c (is_prefix_bad, good_insns_64, good_2byte_insns,
// branch_setup_xol_ops, push_setup_xol_ops), 6.1 to 6.18, and measurements on 6.18. Where versions
// differ the stricter is taken; some system instructions that kernels accept are refused as well.
#pragma once

#include "agent/base/result.h"
#include "agent/binary/instruction.h"
#include "agent/plan/probe_plan.h"

namespace mapscope {

// Whether anything may live below the stack pointer (x86-64 red zone) when the instruction runs.
enum class RedZone { kUnused, kMaybeUsed };

// Errors: kUnsupported when the kernel refuses the instruction or a probe there would harm the
// program: from 6.18 on a probed 5-byte nop becomes a call, which overwrites the red zone.
Result<SiteClass> site_class(const Instruction& in, const KernelFacts& kernel, RedZone red_zone);

}  // namespace mapscope
