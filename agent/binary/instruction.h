// SPDX-License-Identifier: Apache-2.0
// agent/binary/instruction.h – one decoded x86-64 instruction, and whole functions of them.
//
// In:      bytes that may be anything.   Errors: kUnsupported when they do not decode.
// Threads: pure functions.   Source: capstone; the prefix and opcode bytes are read here, as the
// kernel's probes do. Which registers an instruction writes is what capstone says, with its
// omissions filled in; a test holds that against the processor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/program.h"

namespace mapscope {

// Where control goes after an instruction.
enum class Flow {
  kNext,
  kJump,             // to `target`
  kConditionalJump,  // to `target` or on
  kIndirectJump,     // to a computed address
  kCall,
  kReturn,
  kOther,  // trap, system call, halt
};

// A general register, in the processor's numbering; parts of one count as the whole.
enum class Register : uint8_t {
  kAx,
  kCx,
  kDx,
  kBx,
  kSp,
  kBp,
  kSi,
  kDi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
  kIp,
  kNone,
};

// A set of registers, bit i for Register i.
using RegisterSet = uint32_t;
constexpr RegisterSet kAllRegisters = (1U << 16) - 1;
constexpr RegisterSet set_of(Register reg) {
  return reg < Register::kIp ? 1U << static_cast<unsigned>(reg) : 0;
}

struct Operand {
  enum class Kind : uint8_t { kNone, kRegister, kImmediate, kMemory, kOther };
  Kind kind = Kind::kNone;
  uint8_t size = 0;                 // bytes
  Register reg = Register::kNone;   // of kRegister
  Register base = Register::kNone;  // of kMemory: value(base) + scaled index + value
  bool is_plain = false;            // of kMemory: neither an index nor a segment
  int64_t value = 0;                // of kImmediate and, as displacement, of kMemory

  [[nodiscard]] bool is_register(Register wanted) const {
    return kind == Kind::kRegister && reg == wanted;
  }
  [[nodiscard]] bool is_memory(Register wanted, int64_t displacement) const {
    return kind == Kind::kMemory && is_plain && base == wanted && value == displacement;
  }
};

// What it does, as far as a plan depends on it.
enum class Operation : uint8_t {
  kOther,
  kMove,         // all bytes of the second operand to the first
  kMoveZero,     // movzx
  kLoadAddress,  // lea
  kAdd,
  kSubtract,
  kIncrement,
  kDecrement,
  kXor,
  kCompare,
  kTest,
  kPush,
  kPop,
};

struct Instruction {
  static constexpr size_t kMaxBytes = 15;

  uint64_t vaddr = 0;
  std::array<uint8_t, kMaxBytes + 1> bytes{};  // zero-padded
  uint8_t length = 0;                          // 1..15
  uint8_t opcode_at = 0;                       // index in bytes[] after legacy prefixes and REX
  Flow flow = Flow::kNext;
  uint64_t target = 0;  // of kJump, kConditionalJump and a direct kCall; 0: computed
  Operation operation = Operation::kOther;
  std::array<Operand, 2> operands{};    // the first two, destination first
  RegisterSet written = kAllRegisters;  // those that may change; of a call, without what it calls
  bool writes_memory = true;
  bool is_nop = false;  // nop of any length, not endbr64
  // Proved: goes on to the next instruction and leaves rdi, rsi, rdx, rcx, r8, r9, rsp and all
  // memory as they were.
  bool keeps_arguments = false;
  std::string text;  // Intel syntax

  [[nodiscard]] uint8_t opcode(size_t i = 0) const { return bytes[opcode_at + i]; }
  [[nodiscard]] bool has_prefix(uint8_t prefix) const;  // legacy prefixes and REX
};

// Decodes `code` from its first byte to its last. `vaddr` is the address of the first.
Result<std::vector<Instruction>> disassemble(std::span<const std::byte> code, uint64_t vaddr);

// A whole function, consistent in itself: every jump inside it leads to the start of one of its
// instructions.
struct FunctionCode {
  Symbol symbol;
  std::vector<Instruction> code;          // ascending, without gaps, never empty
  std::vector<uint64_t> jump_targets;     // sorted; of direct jumps inside the function
  std::optional<uint64_t> indirect_jump;  // address of the first one
  std::optional<uint64_t> jump_out;       // address of the first direct jump to another function

  bool is_go = false;  // from the tables of a Go program; without the padding behind it

  [[nodiscard]] bool is_jump_target(uint64_t vaddr) const;
  // Index in `code` of the instruction that starts there; nullopt: none does.
  [[nodiscard]] std::optional<size_t> index_at(uint64_t vaddr) const;
};

// Errors: kNotFound (no such function), kUnsupported (no size, over 1 MiB, bytes that do not
// decode).
Result<FunctionCode> read_function(const Program& program, std::string_view symbol);

}  // namespace mapscope
