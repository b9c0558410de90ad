// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/argument_place.h"

#include <algorithm>
#include <array>

#include "agent/plan/go_calls.h"

namespace mapscope {
namespace {

constexpr int64_t kWord = 8;
// The registers of the first integer arguments. Source: abi-internal.md, amd64.
constexpr std::array<Register, 9> kArgumentRegisters = {
    Register::kAx, Register::kBx, Register::kCx,  Register::kDi, Register::kSi,
    Register::kR8, Register::kR9, Register::kR10, Register::kR11};

bool passes_in_registers(const Program& program) {
  return program.go->build().version >= GoVersion{1, 17, 0};
}

bool is_full_register(const Operand& operand) {
  return operand.kind == Operand::Kind::kRegister && operand.size == kWord;
}

// Bytes above the return address of the word that `memory` starts at; nullopt: elsewhere or
// unknown.
std::optional<int64_t> stack_offset(const Operand& memory, const std::optional<int64_t>& depth,
                                    const std::optional<int64_t>& frame) {
  if (memory.kind != Operand::Kind::kMemory || !memory.is_plain) return std::nullopt;
  if (memory.base == Register::kSp && depth) return memory.value - *depth;
  if (memory.base == Register::kBp && frame) return memory.value - *frame;
  return std::nullopt;
}

}  // namespace

bool ArgumentPlaces::State::merge(const State& other) {
  if (!reached) {
    *this = other;
    reached = true;
    return true;
  }
  const State old = *this;
  registers &= other.registers;
  in_slot = in_slot && other.in_slot;
  if (depth != other.depth) depth.reset();
  if (frame != other.frame) frame.reset();
  return registers != old.registers || in_slot != old.in_slot || depth != old.depth ||
         frame != old.frame;
}

ArgumentPlaces::ArgumentPlaces(const Program& program, const ControlFlow& flow, unsigned argument)
    : flow_(&flow),
      slot_(kWord + kWord * static_cast<int64_t>(argument)),
      states_(flow.function().code.size()) {
  State entry;
  entry.depth = 0;
  if (!passes_in_registers(program)) {
    entry.in_slot = true;
  } else if (argument < kArgumentRegisters.size()) {
    entry.registers = set_of(kArgumentRegisters[argument]);
  }
  states_[0].merge(entry);
  std::vector<size_t> work = {0};
  while (!work.empty()) {
    const size_t index = work.back();
    work.pop_back();
    const State after = step(states_[index], index);
    for (const size_t next : flow.after(index)) {
      if (states_[next].merge(after)) work.push_back(next);
    }
  }
}

void ArgumentPlaces::move_stack(const Instruction& in, State* state) const {
  const Operand& source = in.operands[1];
  if (in.flow == Flow::kCall || (in.written & set_of(Register::kSp)) == 0 || !state->depth) return;
  const bool constant = source.kind == Operand::Kind::kImmediate;
  if (in.operation == Operation::kPush) {
    *state->depth += kWord;
  } else if (in.operation == Operation::kPop) {
    *state->depth -= kWord;
  } else if (in.operation == Operation::kSubtract && constant) {
    *state->depth += source.value;
  } else if ((in.operation == Operation::kAdd && constant) ||
             (in.operation == Operation::kLoadAddress && source.is_plain &&
              source.base == Register::kSp)) {
    *state->depth -= source.value;
  } else {
    state->depth.reset();
  }
}

// A word at or near the slot.
void ArgumentPlaces::store(const Instruction& in, const State& before, State* state) const {
  const Operand& to = in.operands[0];
  if (to.kind != Operand::Kind::kMemory) return;
  const std::optional<int64_t> at = stack_offset(to, before.depth, before.frame);
  if (!at) {
    const bool somewhere_on_stack =
        (to.base == Register::kSp && !before.depth) || (to.base == Register::kBp && !before.frame);
    if (somewhere_on_stack) state->in_slot = false;
    return;
  }
  const Operand& from = in.operands[1];
  const bool spills = in.operation == Operation::kMove && *at == slot_ && is_full_register(from) &&
                      (before.registers & set_of(from.reg)) != 0;
  if (spills) {
    state->in_slot = true;
  } else if (*at<slot_ + kWord&& * at + to.size> slot_) {
    state->in_slot = false;
  }
}

ArgumentPlaces::State ArgumentPlaces::step(const State& before, size_t index) const {
  const Instruction& in = flow_->function().code[index];
  State after = before;
  const RegisterSet changed =
      in.flow == Flow::kCall ? changed_by_call(flow_->callee(index)) : in.written;
  after.registers &= ~changed;
  const Operand& to = in.operands[0];
  const Operand& from = in.operands[1];
  if (in.operation == Operation::kMove && is_full_register(to)) {
    const bool copies = is_full_register(from) && (before.registers & set_of(from.reg)) != 0;
    const bool loads = before.in_slot && stack_offset(from, before.depth, before.frame) == slot_;
    if (copies || loads) after.registers |= set_of(to.reg);
  }
  if (in.writes_memory && in.flow != Flow::kCall) store(in, before, &after);
  move_stack(in, &after);
  if ((changed & set_of(Register::kBp)) != 0) {
    after.frame.reset();
    if (in.operation == Operation::kMove && from.is_register(Register::kSp))
      after.frame = before.depth;
    if (in.operation == Operation::kLoadAddress && from.is_plain && from.base == Register::kSp &&
        before.depth)
      after.frame = *before.depth - from.value;
  }
  return after;
}

std::optional<Place> ArgumentPlaces::at(size_t index) const {
  const State& state = states_[index];
  if (!state.reached) return std::nullopt;
  for (unsigned i = 0; i < static_cast<unsigned>(Register::kIp); ++i) {
    const auto reg = static_cast<Register>(i);
    if (reg != Register::kSp && holds(index, reg)) return Place{reg, 0};
  }
  if (!state.in_slot || !state.depth) return std::nullopt;
  return Place{Register::kNone, static_cast<int32_t>(*state.depth + slot_)};
}

bool ArgumentPlaces::holds(size_t index, Register reg) const {
  return states_[index].reached && (states_[index].registers & set_of(reg)) != 0;
}

}  // namespace mapscope
