// SPDX-License-Identifier: Apache-2.0
// agent/plan/argument_place.h – where an argument of a Go function still is, at any of its
// instructions.
//
// A value is followed from the entry along every way: through copies between registers and through
// the slot in the caller's frame into which the compiler spills that argument. What any way has
// overwritten is gone. Stores through pointers are taken not to hit that slot: its address is taken
// nowhere in code that the compiler made.
//
// Pure.   Source: Go internal ABI (src/cmd/compile/abi-internal.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/binary/program.h"
#include "agent/plan/control_flow.h"
#include "agent/plan/site.h"

namespace mapscope {

class ArgumentPlaces {
 public:
  // `argument` counts from 0 and is passed as one word, as are all before it.
  // REQUIRES: program.go.
  ArgumentPlaces(const Program& program, const ControlFlow& flow, unsigned argument);

  // Before the instruction runs. A register goes before the stack.
  [[nodiscard]] std::optional<Place> at(size_t index) const;
  // Whether that register holds it then.
  [[nodiscard]] bool holds(size_t index, Register reg) const;

 private:
  // What is known before an instruction.
  struct State {
    bool reached = false;
    RegisterSet registers = 0;     // hold the argument
    bool in_slot = false;          // its slot in the caller's frame holds it
    std::optional<int64_t> depth;  // bytes from the stack pointer up to the return address
    std::optional<int64_t> frame;  // likewise of the frame pointer, when it points into the stack

    bool merge(const State& other);  // true when it changed
  };
  [[nodiscard]] State step(const State& before, size_t index) const;
  void move_stack(const Instruction& in, State* state) const;
  void store(const Instruction& in, const State& before, State* state) const;

  const ControlFlow* flow_;
  int64_t slot_;  // above the return address at entry
  std::vector<State> states_;
};

}  // namespace mapscope
