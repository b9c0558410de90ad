// SPDX-License-Identifier: Apache-2.0
// agent/plan/near_exit.h – the ways out of a Go function, at their cheapest: shortly before a
// return, which the kernel single-steps, at an instruction that it emulates.
//
// Pure.
#pragma once

#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/plan/control_flow.h"
#include "agent/plan/site.h"

namespace mapscope {

// Sites of which every way from the entry to a return passes exactly one, once. Behind each nothing
// is called but write barriers and `callee` ("": nothing else); of the instructions that this is
// true of the last one is taken. A return that none stands before is its own site. Never empty.
//
// Errors: those of choose_exits().
Result<std::vector<ChosenSite>> choose_near_exits(const ControlFlow& flow, std::string_view callee,
                                                  const KernelFacts& kernel);

}  // namespace mapscope
