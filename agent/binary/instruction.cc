// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/instruction.h"

#include <capstone/capstone.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "agent/binary/operands.h"

namespace mapscope {
namespace {

constexpr uint64_t kMaxFunctionBytes = 1 << 20;
constexpr uint8_t kBreakpoint = 0xcc;  // int3, with which Go pads

struct EngineCloser {
  void operator()(csh* engine) const {
    if (*engine != 0) cs_close(engine);
    delete engine;
  }
};

struct InsnDeleter {
  void operator()(cs_insn* insn) const { cs_free(insn, 1); }
};

bool is_legacy_prefix(uint8_t byte) {
  static constexpr std::array<uint8_t, 11> kPrefixes = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                                        0x66, 0x67, 0xf0, 0xf2, 0xf3};
  return std::find(kPrefixes.begin(), kPrefixes.end(), byte) != kPrefixes.end();
}

uint8_t find_opcode(const Instruction& in) {
  uint8_t at = 0;
  while (at + 1 < in.length && is_legacy_prefix(in.bytes[at])) ++at;
  if (at + 1 < in.length && (in.bytes[at] & 0xf0) == 0x40) ++at;
  return at;
}

bool in_group(const cs_insn& insn, uint8_t group) {
  const cs_detail& detail = *insn.detail;
  return std::find(detail.groups, detail.groups + detail.groups_count, group) !=
         detail.groups + detail.groups_count;
}

bool is_argument_or_stack(x86_reg reg) {
  static constexpr std::array<x86_reg, 30> kHeld = {
      X86_REG_RDI, X86_REG_EDI, X86_REG_DI,  X86_REG_DIL, X86_REG_RSI, X86_REG_ESI,
      X86_REG_SI,  X86_REG_SIL, X86_REG_RDX, X86_REG_EDX, X86_REG_DX,  X86_REG_DL,
      X86_REG_DH,  X86_REG_RCX, X86_REG_ECX, X86_REG_CX,  X86_REG_CL,  X86_REG_CH,
      X86_REG_R8,  X86_REG_R8D, X86_REG_R8W, X86_REG_R8B, X86_REG_R9,  X86_REG_R9D,
      X86_REG_R9W, X86_REG_R9B, X86_REG_RSP, X86_REG_ESP, X86_REG_SP,  X86_REG_SPL};
  return std::find(kHeld.begin(), kHeld.end(), reg) != kHeld.end();
}

// Only instructions that write nothing but flags and their first operand are believed, so that no
// table of side effects has to be trusted.
bool proves_to_keep_arguments(const cs_insn& insn) {
  const cs_x86& x86 = insn.detail->x86;
  switch (insn.id) {
    case X86_INS_NOP:
    case X86_INS_ENDBR64:
    case X86_INS_CMP:
    case X86_INS_TEST:
      return true;
    case X86_INS_MOV:
    case X86_INS_MOVABS:
    case X86_INS_MOVZX:
    case X86_INS_MOVSX:
    case X86_INS_MOVSXD:
    case X86_INS_LEA:
    case X86_INS_XOR:
    case X86_INS_ADD:
    case X86_INS_SUB:
    case X86_INS_AND:
    case X86_INS_OR:
      return x86.op_count == 2 && x86.operands[0].type == X86_OP_REG &&
             !is_argument_or_stack(x86.operands[0].reg);
    default:
      return false;
  }
}

Flow flow_of(const cs_insn& insn) {
  if (in_group(insn, CS_GRP_RET)) return Flow::kReturn;
  if (in_group(insn, CS_GRP_CALL)) return Flow::kCall;
  const bool jumps = in_group(insn, CS_GRP_JUMP) || insn.id == X86_INS_LOOP ||
                     insn.id == X86_INS_LOOPE || insn.id == X86_INS_LOOPNE ||
                     insn.id == X86_INS_XBEGIN;
  if (jumps) {
    const cs_x86& x86 = insn.detail->x86;
    if (x86.op_count != 1 || x86.operands[0].type != X86_OP_IMM) return Flow::kIndirectJump;
    return insn.id == X86_INS_JMP ? Flow::kJump : Flow::kConditionalJump;
  }
  const bool traps = in_group(insn, CS_GRP_INT) || in_group(insn, CS_GRP_IRET) ||
                     in_group(insn, CS_GRP_PRIVILEGE) || insn.id == X86_INS_UD2 ||
                     insn.id == X86_INS_SYSCALL || insn.id == X86_INS_SYSENTER;
  return traps ? Flow::kOther : Flow::kNext;
}

Instruction convert(const cs_insn& insn) {
  Instruction out;
  out.vaddr = insn.address;
  out.length = static_cast<uint8_t>(std::min<size_t>(insn.size, Instruction::kMaxBytes));
  std::copy_n(insn.bytes, out.length, out.bytes.begin());
  out.opcode_at = find_opcode(out);
  out.flow = flow_of(insn);
  const cs_x86& x86 = insn.detail->x86;
  const bool is_direct = x86.op_count == 1 && x86.operands[0].type == X86_OP_IMM;
  if (is_direct &&
      (out.flow == Flow::kJump || out.flow == Flow::kConditionalJump || out.flow == Flow::kCall)) {
    out.target = static_cast<uint64_t>(x86.operands[0].imm);
  }
  out.is_nop = insn.id == X86_INS_NOP;
  out.keeps_arguments = out.flow == Flow::kNext && proves_to_keep_arguments(insn);
  describe_operands(insn, &out);
  out.text = insn.mnemonic;
  if (insn.op_str[0] != '\0') out.text.append(" ").append(insn.op_str);
  while (!out.text.empty() && out.text.back() == ' ') out.text.pop_back();
  return out;
}

std::string hex(uint64_t value) {
  std::array<char, 19> text{};
  std::snprintf(text.data(), text.size(), "0x%lx", value);
  return text.data();
}

Error unsupported(std::string_view symbol, const std::string& what) {
  return {ErrorKind::kUnsupported, std::string(symbol) + ": " + what};
}

// Fills in where the jumps go. Errors: a jump into the middle of an instruction, so that the
// decoding is not what runs.
Status follow_jumps(FunctionCode* function) {
  const uint64_t begin = function->code.front().vaddr;
  const uint64_t end = function->code.back().vaddr + function->code.back().length;
  for (const Instruction& in : function->code) {
    if (in.flow == Flow::kIndirectJump && !function->indirect_jump)
      function->indirect_jump = in.vaddr;
    if (in.flow != Flow::kJump && in.flow != Flow::kConditionalJump) continue;
    if (in.target >= begin && in.target < end) {
      function->jump_targets.push_back(in.target);
    } else if (!function->jump_out) {
      function->jump_out = in.vaddr;
    }
  }
  std::sort(function->jump_targets.begin(), function->jump_targets.end());
  for (const uint64_t target : function->jump_targets) {
    if (!function->index_at(target)) {
      return unsupported(function->symbol.name,
                         "a jump leads into the middle of an instruction at " + hex(target));
    }
  }
  return Done{};
}

}  // namespace

bool Instruction::has_prefix(uint8_t prefix) const {
  return std::find(bytes.begin(), bytes.begin() + opcode_at, prefix) != bytes.begin() + opcode_at;
}

bool FunctionCode::is_jump_target(uint64_t vaddr) const {
  return std::binary_search(jump_targets.begin(), jump_targets.end(), vaddr);
}

std::optional<size_t> FunctionCode::index_at(uint64_t vaddr) const {
  const auto at =
      std::lower_bound(code.begin(), code.end(), vaddr,
                       [](const Instruction& in, uint64_t value) { return in.vaddr < value; });
  if (at == code.end() || at->vaddr != vaddr) return std::nullopt;
  return static_cast<size_t>(at - code.begin());
}

Result<std::vector<Instruction>> disassemble(std::span<const std::byte> code, uint64_t vaddr) {
  const std::unique_ptr<csh, EngineCloser> engine(new csh(0));
  if (cs_open(CS_ARCH_X86, CS_MODE_64, engine.get()) != CS_ERR_OK ||
      cs_option(*engine, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK) {
    return Error{ErrorKind::kSystem, "capstone cannot decode x86-64"};
  }
  const std::unique_ptr<cs_insn, InsnDeleter> insn(cs_malloc(*engine));
  std::vector<Instruction> out;
  const auto* at = reinterpret_cast<const uint8_t*>(code.data());
  size_t left = code.size();
  while (left > 0) {
    if (!cs_disasm_iter(*engine, &at, &left, &vaddr, insn.get())) {
      return Error{ErrorKind::kUnsupported, "bytes at " + hex(vaddr) + " do not decode"};
    }
    out.push_back(convert(*insn));
  }
  return out;
}

Result<FunctionCode> read_function(const Program& program, std::string_view symbol) {
  const std::optional<Symbol> found = program.find_function(symbol);
  if (!found) return Error{ErrorKind::kNotFound, std::string(symbol) + ": no such function"};
  if (found->size == 0) return unsupported(symbol, "its symbol has no size, so its end is unknown");
  if (found->size > kMaxFunctionBytes) return unsupported(symbol, "is over 1 MiB long");
  const std::vector<std::byte> bytes = program.elf.code(found->vaddr, found->size);
  if (bytes.size() != found->size)
    return unsupported(symbol, "lies outside the executable segments");

  Result<std::vector<Instruction>> code = disassemble(bytes, found->vaddr);
  if (!code) return unsupported(symbol, code.error().text);
  const bool is_go = program.go != nullptr && program.go->find_function(symbol).has_value();
  // In its tables a Go function reaches to the next one.
  while (is_go && code->size() > 1 && code->back().bytes[0] == kBreakpoint) code->pop_back();
  FunctionCode function{*found, std::move(*code), {}, {}, {}, is_go};
  if (Status followed = follow_jumps(&function); !followed) return std::move(followed).error();
  return function;
}

}  // namespace mapscope
