// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_inlined_code.h – the whole of what was inlined into a function.
#pragma once

#include <vector>

#include "agent/binary/go_inline_tree.h"
#include "agent/binary/go_program.h"

namespace mapscope {

// By address, outer calls before the calls in them; within [record.entry, end). At most
// GoInlineTree::kMaxRanges, and 16 MiB of names. `bytes` and `module`: those of the tree.
std::vector<GoInlinedCode> inlined_code(const ImageBytes& bytes, const GoModule& module,
                                        const GoFunctionRecord& record, uint64_t end);

}  // namespace mapscope
