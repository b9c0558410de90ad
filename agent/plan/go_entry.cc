// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/go_entry.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "agent/plan/go_calls.h"
#include "agent/plan/site_class.h"

namespace mapscope {
namespace {

// CF and ZF: the condition of jbe.
constexpr uint8_t kBelowOrEqual = 0x41;
// Before 1.17 RCX holds the goroutine in the check, and the arguments are on the stack; R12 is
// free in either convention.
constexpr RegisterSet kFreeInCheck = set_of(Register::kR12);
constexpr RegisterSet kFreeWithStackArguments = set_of(Register::kCx) | set_of(Register::kAx);
// stack.lo, stack.hi, stackguard0.
constexpr int64_t kStackGuard = 16;
// Where the goroutine is before 1.17, from the thread pointer (FS).
constexpr int64_t kGoroutineOffset = -8;
constexpr uint8_t kFsPrefix = 0x64;
constexpr size_t kMaxCheck = 8;
constexpr size_t kMaxTail = 64;

Error unsupported(const FunctionCode& function, const std::string& what) {
  return {ErrorKind::kUnsupported, std::string(function.symbol.name) + ": " + what};
}

bool is_jbe(const Instruction& in) {
  return in.opcode() == 0x76 || (in.opcode() == 0x0f && in.opcode(1) == 0x86);
}

bool is_push_bp(const Instruction& in) {
  return in.operation == Operation::kPush && in.operands[0].is_register(Register::kBp);
}

// The check as far as it has been read.
struct Check {
  Register goroutine = Register::kR14;
  Register limit = Register::kSp;     // compared with the guard
  Register offset = Register::kNone;  // holds kGoroutineOffset
  RegisterSet free = kFreeInCheck;
  bool compared = false;

  // False when the instruction is none of a check.
  bool take(const Instruction& in);

 private:
  bool take_move(const Operand& to, const Instruction& in);
};

// Before 1.17: mov rcx, fs:[-8]; in position-independent code mov rcx, -8; mov rcx, fs:[rcx].
bool Check::take_move(const Operand& to, const Instruction& in) {
  const Operand& from = in.operands[1];
  if (to.kind != Operand::Kind::kRegister) return false;
  if (from.kind == Operand::Kind::kImmediate && from.value == kGoroutineOffset) {
    offset = to.reg;
  } else if (from.kind == Operand::Kind::kMemory && in.has_prefix(kFsPrefix) &&
             (from.base == Register::kNone ? from.value == kGoroutineOffset
                                           : from.base == offset && from.value == 0)) {
    goroutine = to.reg;
  } else {
    return false;
  }
  free |= kFreeWithStackArguments;
  return true;
}

bool Check::take(const Instruction& in) {
  const Operand& to = in.operands[0];
  const Operand& from = in.operands[1];
  if (in.is_nop) return true;
  if (compared) return false;
  if (in.operation == Operation::kMove) return take_move(to, in);
  if (in.operation == Operation::kLoadAddress && from.is_plain && from.base == Register::kSp) {
    limit = to.reg;
    return true;
  }
  compared = in.operation == Operation::kCompare && to.is_register(limit) &&
             from.is_memory(goroutine, kStackGuard);
  return compared;
}

// Index of the jbe of the check; nullopt: the function does not begin with one.
std::optional<size_t> find_check(const FunctionCode& function) {
  Check check;
  for (size_t i = 0; i < std::min(kMaxCheck, function.code.size()); ++i) {
    const Instruction& in = function.code[i];
    if (check.compared && in.flow == Flow::kConditionalJump && is_jbe(in)) return i;
    if (!check.take(in) || (in.written & ~check.free) != 0 || in.writes_memory) return std::nullopt;
  }
  return std::nullopt;
}

bool calls_morestack(const Program& program, const Instruction& in) {
  return in.flow == Flow::kCall && callee_name(program, in).starts_with("runtime.morestack");
}

// What the jump of the check leads to: spills, one call of morestack, reloads, a jump to the entry.
bool starts_again(const Program& program, const FunctionCode& function, uint64_t tail) {
  const std::optional<size_t> first = function.index_at(tail);
  if (!first) return false;
  int calls = 0;
  const size_t end = std::min(function.code.size(), *first + kMaxTail);
  for (size_t i = *first; i < end; ++i) {
    const Instruction& in = function.code[i];
    if (calls_morestack(program, in)) {
      ++calls;
    } else if (in.flow == Flow::kJump) {
      return calls == 1 && in.target == function.symbol.vaddr;
    } else if (in.flow != Flow::kNext) {
      return false;
    }
  }
  return false;
}

// How many jumps lead to [entry, last].
ptrdiff_t jumps_to(const FunctionCode& function, uint64_t last) {
  const auto begin = function.jump_targets.begin();
  return std::upper_bound(begin, function.jump_targets.end(), last) - begin;
}

Result<ChosenSite> without_check(const Program& program, const FunctionCode& function,
                                 const KernelFacts& kernel) {
  const bool checks =
      std::any_of(function.code.begin(), function.code.end(),
                  [&](const Instruction& in) { return calls_morestack(program, in); });
  if (checks) return unsupported(function, "begins with an unknown check for stack space");
  if (function.is_jump_target(function.symbol.vaddr)) {
    return unsupported(function,
                       "a jump inside it leads back to its entry, which would count twice");
  }
  const Instruction& in = function.code.front();
  const Result<SiteClass> cost = site_class(in, kernel);
  if (!cost) return unsupported(function, "its entry cannot be probed: " + cost.error().text);
  return ChosenSite{&in, *cost, "first instruction, no check for stack space before it"};
}

}  // namespace

Result<ChosenSite> choose_go_entry(const Program& program, const FunctionCode& function,
                                   const KernelFacts& kernel) {
  const std::optional<size_t> check = find_check(function);
  if (!check) return without_check(program, function, kernel);
  const Instruction& jump = function.code[*check];
  if (!starts_again(program, function, jump.target))
    return unsupported(function, "does not start again after its check for stack space");

  const bool pushes = *check + 1 < function.code.size() && is_push_bp(function.code[*check + 1]);
  const Instruction& in = pushes ? function.code[*check + 1] : jump;
  // The one that starts it again.
  if (jumps_to(function, in.vaddr) != 1)
    return unsupported(function, "a jump leads back to its beginning, which would count twice");
  const Result<SiteClass> cost = site_class(in, kernel);
  if (!cost) return unsupported(function, "its entry cannot be probed: " + cost.error().text);
  ChosenSite site{&in, *cost,
                  pushes ? "behind the check for stack space"
                         : "jump of the check for stack space, counted when not taken"};
  if (!pushes) site.skip_eflags = kBelowOrEqual;
  return site;
}

}  // namespace mapscope
