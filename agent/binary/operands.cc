// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/operands.h"

#include <algorithm>
#include <array>

namespace mapscope {
namespace {

Register register_of(x86_reg reg) {
  // Rows in the order of Register: 64, 32, 16, 8 bits, and the second bytes of the first four.
  static constexpr std::array<std::array<x86_reg, 5>, 16> kParts = {{
      {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
      {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
      {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
      {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
      {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL, X86_REG_SPL},
      {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL, X86_REG_BPL},
      {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL, X86_REG_SIL},
      {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL, X86_REG_DIL},
      {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B, X86_REG_R8B},
      {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B, X86_REG_R9B},
      {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B, X86_REG_R10B},
      {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B, X86_REG_R11B},
      {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B, X86_REG_R12B},
      {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B, X86_REG_R13B},
      {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B, X86_REG_R14B},
      {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B, X86_REG_R15B},
  }};
  for (size_t i = 0; i < kParts.size(); ++i) {
    if (std::find(kParts[i].begin(), kParts[i].end(), reg) != kParts[i].end())
      return static_cast<Register>(i);
  }
  return reg == X86_REG_RIP ? Register::kIp : Register::kNone;
}

Operand convert(const cs_x86_op& from) {
  Operand out;
  out.size = from.size;
  switch (from.type) {
    case X86_OP_REG:
      out.reg = register_of(from.reg);
      out.kind = out.reg == Register::kNone ? Operand::Kind::kOther : Operand::Kind::kRegister;
      break;
    case X86_OP_IMM:
      out.kind = Operand::Kind::kImmediate;
      out.value = from.imm;
      break;
    case X86_OP_MEM:
      out.kind = Operand::Kind::kMemory;
      out.base = register_of(from.mem.base);
      out.is_plain = from.mem.index == X86_REG_INVALID && from.mem.segment == X86_REG_INVALID;
      out.value = from.mem.disp;
      break;
    default:
      out.kind = Operand::Kind::kOther;
      break;
  }
  return out;
}

Operation operation_of(unsigned id) {
  switch (id) {
    case X86_INS_MOV:
    case X86_INS_MOVABS:
      return Operation::kMove;
    case X86_INS_MOVZX:
      return Operation::kMoveZero;
    case X86_INS_LEA:
      return Operation::kLoadAddress;
    case X86_INS_ADD:
      return Operation::kAdd;
    case X86_INS_SUB:
      return Operation::kSubtract;
    case X86_INS_INC:
      return Operation::kIncrement;
    case X86_INS_DEC:
      return Operation::kDecrement;
    case X86_INS_XOR:
      return Operation::kXor;
    case X86_INS_CMP:
      return Operation::kCompare;
    case X86_INS_TEST:
      return Operation::kTest;
    case X86_INS_PUSH:
      return Operation::kPush;
    case X86_INS_POP:
      return Operation::kPop;
    default:
      return Operation::kOther;
  }
}

bool writes_nothing(unsigned id) {
  static constexpr std::array<unsigned, 7> kIds = {X86_INS_NOP,    X86_INS_ENDBR64, X86_INS_CMP,
                                                   X86_INS_TEST,   X86_INS_BT,      X86_INS_UCOMISD,
                                                   X86_INS_UCOMISS};
  return std::find(kIds.begin(), kIds.end(), id) != kIds.end();
}

// Of any other instruction the first operand counts as written, whatever the disassembler says.
bool reads_first(const cs_insn& insn) {
  switch (insn.id) {
    case X86_INS_PUSH:
    case X86_INS_MUL:
    case X86_INS_DIV:
    case X86_INS_IDIV:
    case X86_INS_CALL:
    case X86_INS_JMP:
    case X86_INS_OUT:
      return true;
    case X86_INS_IMUL:
      return insn.detail->x86.op_count == 1;
    default:
      return writes_nothing(insn.id);
  }
}

// What capstone 4.0.2 leaves out, found by running every instruction (written_registers_test.cc).
RegisterSet written_unseen(unsigned id) {
  switch (id) {
    case X86_INS_CMPXCHG:
    case X86_INS_XLATB:
    case X86_INS_XBEGIN:
      return set_of(Register::kAx);
    case X86_INS_ENTER:
      return set_of(Register::kSp) | set_of(Register::kBp);
    case X86_INS_PUSH:  // of a segment register
      return set_of(Register::kSp);
    default:
      return 0;
  }
}

// A repeated one counts in rcx, also where the prefix is taken for part of the opcode (f2 a5).
bool is_string_operation(uint8_t opcode) {
  return (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) ||
         (opcode >= 0xaa && opcode <= 0xaf);
}

RegisterSet written_by(const cs_insn& insn, const Instruction& in) {
  const cs_detail& detail = *insn.detail;
  RegisterSet written = written_unseen(insn.id);
  if (is_string_operation(in.opcode()) && (in.has_prefix(0xf2) || in.has_prefix(0xf3)))
    written |= set_of(Register::kCx);
  for (size_t i = 0; i < detail.regs_write_count; ++i)
    written |= set_of(register_of(static_cast<x86_reg>(detail.regs_write[i])));
  for (size_t i = 0; i < detail.x86.op_count; ++i) {
    const cs_x86_op& operand = detail.x86.operands[i];
    const bool is_read_only = operand.access == CS_AC_READ && (i > 0 || reads_first(insn));
    if (operand.type == X86_OP_REG && !is_read_only) written |= set_of(register_of(operand.reg));
  }
  return written;
}

// What it stores to without naming it, or may.
bool stores_unnamed(const cs_insn& insn) {
  switch (insn.id) {
    case X86_INS_PUSH:
    case X86_INS_CALL:
    case X86_INS_ENTER:
    case X86_INS_MASKMOVQ:
    case X86_INS_MASKMOVDQU:
    case X86_INS_VMASKMOVDQU:
      return true;
    case X86_INS_CQO:
    case X86_INS_CDQ:
      return false;
    default:
      return insn.detail->x86.op_count == 0;
  }
}

bool may_write_memory(const cs_insn& insn) {
  if (writes_nothing(insn.id)) return false;
  const cs_x86& x86 = insn.detail->x86;
  for (size_t i = 0; i < x86.op_count; ++i) {
    if (x86.operands[i].type != X86_OP_MEM) continue;
    if ((x86.operands[i].access & CS_AC_WRITE) != 0 || (i == 0 && !reads_first(insn))) return true;
  }
  return stores_unnamed(insn);
}

}  // namespace

void describe_operands(const cs_insn& insn, Instruction* out) {
  const cs_x86& x86 = insn.detail->x86;
  for (size_t i = 0; i < out->operands.size() && i < x86.op_count; ++i)
    out->operands[i] = convert(x86.operands[i]);
  const bool jumps = out->flow == Flow::kJump || out->flow == Flow::kConditionalJump;
  if (out->flow == Flow::kCall || out->flow == Flow::kReturn) {
    out->written = set_of(Register::kSp);
    out->writes_memory = out->flow == Flow::kCall;
  } else if (out->flow != Flow::kOther) {
    out->written = written_by(insn, *out);
    out->writes_memory = !jumps && may_write_memory(insn);
  }
  constexpr uint8_t kLock = 0xf0;
  const bool repeats = x86.prefix[0] != 0 && x86.prefix[0] != kLock;
  if (repeats) {
    out->writes_memory = out->writes_memory || !jumps;
  } else {
    out->operation = operation_of(insn.id);
  }
}

}  // namespace mapscope
