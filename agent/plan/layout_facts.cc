// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/layout_facts.h"

#include <string>

#include "agent/binary/instruction.h"
#include "agent/plan/argument_place.h"
#include "agent/plan/control_flow.h"

namespace mapscope {
namespace {

// Between a load, the count and the store.
constexpr size_t kMaxBefore = 8;

class Evidence {
 public:
  Evidence(const Program& program, const FunctionCode& function, const LayoutFact& fact)
      : function_(&function),
        fact_(&fact),
        flow_(program, function),
        places_(program, flow_, fact.argument) {}

  [[nodiscard]] bool holds() const {
    for (size_t i = 0; i < function_->code.size(); ++i) {
      const Instruction& in = function_->code[i];
      switch (fact_->kind) {
        case LayoutFact::Kind::kReadFirst:
          if (const Operand* member = member_in(i)) return member->value == fact_->offset;
          break;
        case LayoutFact::Kind::kCountedUp:
          if (counts(i, Operation::kIncrement, Operation::kAdd)) return true;
          break;
        case LayoutFact::Kind::kCountedDown:
          if (counts(i, Operation::kDecrement, Operation::kSubtract)) return true;
          break;
        case LayoutFact::Kind::kCompared:
          if (in.operation == Operation::kCompare && is_immediate(in, fact_->offset)) return true;
          break;
      }
    }
    return false;
  }

 private:
  static bool is_immediate(const Instruction& in, int64_t value) {
    return in.operands[1].kind == Operand::Kind::kImmediate && in.operands[1].value == value;
  }

  // The operand that is a member of the argument's object, of the size asked for.
  [[nodiscard]] const Operand* member_in(size_t index) const {
    const Instruction& in = function_->code[index];
    if (in.operation == Operation::kLoadAddress || in.is_nop) return nullptr;
    for (const Operand& operand : in.operands) {
      if (operand.kind == Operand::Kind::kMemory && operand.is_plain &&
          operand.size == fact_->size && operand.base != Register::kSp &&
          places_.holds(index, operand.base))
        return &operand;
    }
    return nullptr;
  }

  // In memory, or in a register that is stored there right after.
  [[nodiscard]] bool counts(size_t index, Operation by_one, Operation by) const {
    const auto is_count = [&](const Instruction& in) {
      return in.operation == by_one || (in.operation == by && is_immediate(in, 1));
    };
    const Instruction& in = function_->code[index];
    const Operand* member = member_in(index);
    if (member == nullptr || member != in.operands.data() || member->value != fact_->offset)
      return false;
    if (is_count(in)) return true;
    const Operand& from = in.operands[1];
    if (in.operation != Operation::kMove || from.kind != Operand::Kind::kRegister) return false;
    for (size_t i = index; i-- > 0 && index - i <= kMaxBefore;) {
      const Instruction& before = function_->code[i];
      if ((before.written & set_of(from.reg)) != 0) return is_count(before);
      if (before.flow != Flow::kNext) return false;
    }
    return false;
  }

  const FunctionCode* function_;
  const LayoutFact* fact_;
  ControlFlow flow_;
  ArgumentPlaces places_;
};

Error unproven(const LayoutFact& fact, const std::string& why) {
  return {ErrorKind::kUnsupported,
          "its version was not checked, and " + why + " (" + std::string(fact.what) + ")",
          "go_layout"};
}

Status prove(const Program& program, const LayoutFact& fact) {
  bool seen = false;
  for (const std::string_view name : fact.functions) {
    const Result<FunctionCode> function = read_function(program, name);
    if (!function && function.error().kind == ErrorKind::kNotFound) continue;
    if (!function) return unproven(fact, function.error().text);
    if (!Evidence(program, *function, fact).holds())
      return unproven(fact, std::string(name) + " works on another layout than the one known");
    seen = true;
  }
  if (seen || fact.if_present) return Done{};
  return unproven(fact, "it has no " + std::string(fact.functions.front()) + " to show its layout");
}

}  // namespace

Status prove_layout(const Program& program, std::span<const LayoutFact> facts) {
  for (const LayoutFact& fact : facts) {
    if (Status proven = prove(program, fact); !proven) return proven;
  }
  return Done{};
}

}  // namespace mapscope
