// SPDX-License-Identifier: Apache-2.0
// agent/plan/go_entry.h – where the entry of a Go function is passed exactly once per call.
//
// Most Go functions begin with a check for stack space, which calls runtime.morestack and then
// starts the function again; it also does so to let another goroutine run. A probe on the first
// instruction would count such a call twice, on two stacks. Behind the check it counts once.
//
// Pure.   Source: cmd/internal/obj/x86/obj6.go (stacksplit), Go 1.15 to 1.27.
#pragma once

#include "agent/base/result.h"
#include "agent/binary/instruction.h"
#include "agent/binary/program.h"
#include "agent/plan/site.h"

namespace mapscope {

// The push after the check, where there is one; otherwise the jump of the check, which is taken
// (CF or ZF set) when the function will start again; the first instruction of a function without a
// check. Up to there no register that passes arguments has changed and nothing is on the stack but
// the return address.
//
// Errors: kUnsupported when the bytes do not prove that: another beginning than the known ones, a
// jump that leads back, a function that is started again from elsewhere.
Result<ChosenSite> choose_go_entry(const Program& program, const FunctionCode& function,
                                   const KernelFacts& kernel);

}  // namespace mapscope
