// SPDX-License-Identifier: Apache-2.0
// agent/binary/operands.h – what one instruction reads and writes, from capstone's detail.
//
// Only for instruction.cc. Pure.
#pragma once

#include <capstone/capstone.h>

#include "agent/binary/instruction.h"

namespace mapscope {

// Fills in operation, operands, written and writes_memory. REQUIRES: out->flow is known.
void describe_operands(const cs_insn& insn, Instruction* out);

}  // namespace mapscope
