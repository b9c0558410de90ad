// SPDX-License-Identifier: Apache-2.0
// agent/plan/pointer_cleared.h – where a function stores 0 to a pointer member of an object.
//
// Such a store is one move, or, before Go 1.21 while the collector runs, a call of the write
// barrier with the address in RDI. A site stands before both: every way to the store passes it, and
// it is passed on no other way. In code that the compiler made it is mostly the jump that asks
// whether the collector runs, which is cheap.
//
// Pure.   Source: cmd/compile/internal/ssa/writebarrier.go, Go 1.15 to 1.27.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/go_program.h"
#include "agent/plan/control_flow.h"
#include "agent/plan/site.h"

namespace mapscope {

// One site per place in the source where the pointer at `offset` is cleared, each with the register
// that holds the object there (ChosenSite::found). Only stores inside `within` are looked at;
// empty: all. Never empty.
//
// Errors: kUnsupported when there is no such store, or one that no site stands for.
Result<std::vector<ChosenSite>> choose_pointer_cleared(const ControlFlow& flow, int32_t offset,
                                                       std::span<const GoInlinedCode> within,
                                                       const KernelFacts& kernel);

}  // namespace mapscope
