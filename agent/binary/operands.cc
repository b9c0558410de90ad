// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/operands.h"

#include <algorithm>
#include <array>
#include <string_view>

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

// Flags and the first operand, nothing else.
bool writes_first(const cs_insn& insn) {
  static constexpr std::array<std::string_view, 56> kNames = {
      "mov",     "movabs",  "movzx",    "movsx",     "movsxd", "lea",    "add",    "sub",
      "and",     "or",      "xor",      "adc",       "sbb",    "inc",    "dec",    "neg",
      "not",     "shl",     "sal",      "shr",       "sar",    "rol",    "ror",    "rcl",
      "rcr",     "shld",    "shrd",     "bts",       "btr",    "btc",    "bsf",    "bsr",
      "popcnt",  "tzcnt",   "lzcnt",    "bswap",     "movups", "movaps", "movdqu", "movdqa",
      "movq",    "movd",    "movss",    "xorps",     "pxor",   "pand",   "pshufb", "pshuflw",
      "pshufhw", "pcmpeqb", "pmovmskb", "punpcklbw", "pinsrw", "pinsrd", "pinsrq", "aesenc"};
  std::string_view name = insn.mnemonic;
  if (name.starts_with("lock ")) name.remove_prefix(5);
  if (name == "imul") return insn.detail->x86.op_count >= 2;
  return name.starts_with("cmov") || name.starts_with("set") ||
         std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// Multiplications and divisions that write rdx:rax.
bool writes_wide_result(const cs_insn& insn) {
  const std::string_view name = insn.mnemonic;
  return name == "mul" || name == "imul" || name == "div" || name == "idiv" || name == "cqo" ||
         name == "cdq";
}

RegisterSet register_in(const Operand& operand) {
  return operand.kind == Operand::Kind::kRegister ? set_of(operand.reg) : 0;
}

void write_first(Instruction* out) {
  out->written = register_in(out->operands[0]);
  out->writes_memory = out->operands[0].kind == Operand::Kind::kMemory;
}

// Exchanges write both operands, the comparing one rax as well.
bool writes_exchange(const cs_insn& insn, Instruction* out) {
  const std::string_view name = insn.mnemonic;
  const bool compares = name.ends_with("cmpxchg");
  if (!compares && !name.ends_with("xchg") && !name.ends_with("xadd")) return false;
  write_first(out);
  out->written |= compares ? set_of(Register::kAx) : register_in(out->operands[1]);
  return true;
}

}  // namespace

void describe_operands(const cs_insn& insn, Instruction* out) {
  const cs_x86& x86 = insn.detail->x86;
  for (size_t i = 0; i < out->operands.size() && i < x86.op_count; ++i)
    out->operands[i] = convert(x86.operands[i]);
  constexpr uint8_t kLock = 0xf0;
  if (x86.prefix[0] != 0 && x86.prefix[0] != kLock) return;  // rep
  out->operation = operation_of(insn.id);
  const bool jumps = out->flow == Flow::kJump || out->flow == Flow::kConditionalJump;
  if (writes_nothing(insn.id) || (jumps && !std::string_view(insn.mnemonic).starts_with("loop"))) {
    out->written = 0;
    out->writes_memory = false;
  } else if (out->flow == Flow::kCall || out->flow == Flow::kReturn) {
    out->written = set_of(Register::kSp);
    out->writes_memory = out->flow == Flow::kCall;
  } else if (out->operation == Operation::kPush) {
    out->written = set_of(Register::kSp);
  } else if (writes_first(insn)) {
    write_first(out);
  } else if (writes_exchange(insn, out)) {
    return;
  } else if (out->operation == Operation::kPop) {
    write_first(out);
    out->written |= set_of(Register::kSp);
  } else if (writes_wide_result(insn)) {
    out->written = set_of(Register::kAx) | set_of(Register::kDx);
    out->writes_memory = false;
  }
}

}  // namespace mapscope
