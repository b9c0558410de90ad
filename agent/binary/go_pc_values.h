// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_pc_values.h – what holds at an address of a Go function: its line, its stack
// depth, what is inlined there. The runtime keeps each as a list of value changes.
//
// Source: runtime/symtab.go step() and cmd/internal/obj/pcln.go of go1.15; the same in go1.27.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "agent/binary/go_pclntab.h"
#include "agent/binary/image_bytes.h"

namespace mapscope {

// One value over [begin, end).
struct PcRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  int32_t value = 0;
};

// What one look-up may still decode; a table that somebody made up could go on for megabytes. The
// longest seen, of a generated init in prometheus, has 13,832 changes, and a look-up with inlined
// calls reads a dozen tables.
struct PcWork {
  size_t steps_left = 500'000;
};

class PcValues {
 public:
  // `offset`: of the table, from a function record; 0 is an empty one. `work` must outlive this.
  PcValues(const ImageBytes& bytes, const GoPclntab& table, uint32_t offset, uint64_t entry,
           PcWork* work);

  // Ascending, without gaps, the first at the function's entry; nullopt at the end.
  std::optional<PcRange> next();

 private:
  ByteCursor cursor_;
  PcWork* work_;
  PcRange last_;
  bool first_ = true;
  bool done_ = false;
};

std::optional<int32_t> pc_value(const ImageBytes& bytes, const GoPclntab& table, uint32_t offset,
                                uint64_t entry, uint64_t pc, PcWork* work);

}  // namespace mapscope
