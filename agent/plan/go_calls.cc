// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/go_calls.h"

#include <optional>

namespace mapscope {

std::string callee_name(const Program& program, const Instruction& in) {
  if (program.go == nullptr || in.target == 0) return "";
  const std::optional<GoFunction> callee = program.go->function_at(in.target);
  return callee ? callee->name : "";
}

bool never_returns(std::string_view callee) {
  return callee == "runtime.throw" || callee == "runtime.gopanic" || callee == "runtime.block" ||
         callee.starts_with("runtime.panic") || callee.starts_with("runtime.goPanic");
}

RegisterSet changed_by_call(std::string_view callee) {
  if (callee.starts_with("runtime.gcWriteBarrier")) return set_of(Register::kR11);
  return kAllRegisters & ~set_of(Register::kSp) & ~set_of(Register::kBp);
}

}  // namespace mapscope
