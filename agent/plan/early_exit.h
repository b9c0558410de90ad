// SPDX-License-Identifier: Apache-2.0
// agent/plan/early_exit.h – what a Go function does first when most calls of it have nothing to do.
//
// Pure.
#pragma once

#include <optional>

#include "agent/binary/instruction.h"
#include "agent/plan/control_flow.h"
#include "agent/plan/site.h"

namespace mapscope {

struct EarlyExit {
  ChosenSite behind;           // passed once by calls that go on, by no other
  ControlFlow::Set not_taken;  // the instructions that calls which return early run, from the entry
};

// The first instruction that the kernel emulates behind which calls go on, when those that do not
// pass it return after a straight way without a call; `kept` are registers that are still as they
// were at the entry. `entry`: the site that choose_go_entry() gives. nullopt: there is none.
std::optional<EarlyExit> find_early_exit(const ControlFlow& flow, const ChosenSite& entry,
                                         RegisterSet kept, const KernelFacts& kernel);

}  // namespace mapscope
