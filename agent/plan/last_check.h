// SPDX-License-Identifier: Apache-2.0
// agent/plan/last_check.h – the ways out of a function that writes a map, at their cheapest: at the
// jump of the last check for a concurrent writer, which the kernel emulates; a return it does not.
//
// Pure.
#pragma once

#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/plan/control_flow.h"
#include "agent/plan/site.h"

namespace mapscope {

// Sites of which every way from the entry to a return passes exactly one: conditional jumps that
// lead to a call of `callee` on one of their two ways, and the returns that no such jump stands
// before. Where that cannot be proved, every return. Never empty.
//
// Errors: those of choose_exits().
Result<std::vector<ChosenSite>> choose_last_checks(const ControlFlow& flow, std::string_view callee,
                                                   const KernelFacts& kernel);

}  // namespace mapscope
