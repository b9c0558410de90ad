// SPDX-License-Identifier: Apache-2.0
// agent/plan/choose_sites.h – the instructions where one probe of a room goes in one function.
//
// Pure.
#pragma once

#include <span>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/go_program.h"
#include "agent/binary/instruction.h"
#include "agent/binary/program.h"
#include "agent/plan/site.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

// `within`: where in the function the code of spec.symbol is; empty: all of it is. Never empty;
// each site has `found` when spec's fields ask for it, reachable for them.
//
// Errors: kUnsupported, the text says what stands in the way.
Result<std::vector<ChosenSite>> choose_sites(const Program& program, const FunctionCode& function,
                                             const ProbeSpec& spec,
                                             std::span<const GoInlinedCode> within,
                                             const KernelFacts& kernel);

}  // namespace mapscope
