// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_inline_tree.h – which calls the compiler inlined into a function, and where.
//
// In:      trees that somebody may have made up: parents that form a ring, indices outside.
// Errors:  what leads nowhere ends a chain; a chain has at most kMaxDepth calls.
// Source:  runtime/symtabinl.go of go1.20 and 1.21, runtime/symtab.go inlinedCall of go1.15.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/binary/go_module_data.h"
#include "agent/binary/go_pc_values.h"

namespace mapscope {

struct GoInlinedCall {
  uint32_t name = 0;       // offset of the function's name in the pclntab
  uint64_t parent_pc = 0;  // an address in the same function where the call stood
};

class GoInlineTree {
 public:
  static constexpr size_t kMaxDepth = 256;
  static constexpr size_t kMaxRanges = 1 << 16;

  // `bytes` and `module` must outlive the tree.
  GoInlineTree(const ImageBytes& bytes, const GoModule& module, const GoFunctionRecord& record);

  // The innermost call inlined at an address.
  [[nodiscard]] std::optional<uint32_t> call_at(uint64_t pc, PcWork* work) const;
  [[nodiscard]] std::optional<GoInlinedCall> call(uint32_t index) const;
  // Where calls are inlined, by address; the value is the index of the innermost. At most
  // kMaxRanges.
  [[nodiscard]] std::vector<PcRange> ranges(PcWork* work) const;

 private:
  const ImageBytes* bytes_;
  const GoPclntab* table_;
  uint64_t entry_;
  uint32_t indices_ = 0;  // offset of the pc-value table; 0: nothing is inlined
  uint64_t calls_ = 0;    // address of the tree
  bool has_parents_ = false;
};

}  // namespace mapscope
