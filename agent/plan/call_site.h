// SPDX-License-Identifier: Apache-2.0
// agent/plan/call_site.h – the calls of one function in another.
//
// Pure.
#pragma once

#include <span>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/go_program.h"
#include "agent/plan/argument_place.h"
#include "agent/plan/control_flow.h"
#include "agent/plan/site.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

// One site for every direct call of spec.callee inside `within` (empty: everywhere). `places` is
// nullptr when spec's fields do not ask for MS_REG_FOUND. Never empty.
//
// Errors: kNotFound when there is no such call; kUnsupported when at one of them the argument is
// not where the fields can reach it.
Result<std::vector<ChosenSite>> choose_calls(const Program& program, const ControlFlow& flow,
                                             const ProbeSpec& spec,
                                             std::span<const GoInlinedCode> within,
                                             const ArgumentPlaces* places,
                                             const KernelFacts& kernel);

}  // namespace mapscope
