// SPDX-License-Identifier: Apache-2.0
// agent/plan/go_calls.h – what a Go function calls, and what that leaves of the registers.
//
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "agent/binary/instruction.h"
#include "agent/binary/program.h"

namespace mapscope {

// The function that a direct call or jump leads to, by its name in the Go tables; "" unknown.
std::string callee_name(const Program& program, const Instruction& in);

// Whether a call comes back. The compiler puts nothing that belongs behind such a call.
// Source: cmd/compile/internal/ssagen/ssa.go (state.call: functions that end a block).
bool never_returns(std::string_view callee);

// The registers that may have changed when a call returns: all but the stack pointer and the frame
// pointer, and next to none behind a write barrier. Source: runtime/asm_amd64.s (gcWriteBarrier).
RegisterSet changed_by_call(std::string_view callee);

}  // namespace mapscope
