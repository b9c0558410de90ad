// SPDX-License-Identifier: Apache-2.0
// agent/plan/control_flow.h – which instructions of a function can run after which.
//
// More ways than there are may be told, never fewer: as far as jumps are direct, which the user of
// this has to check (FunctionCode::indirect_jump). Instructions are indices in FunctionCode::code.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "agent/binary/instruction.h"
#include "agent/binary/program.h"

namespace mapscope {

class ControlFlow {
 public:
  // REQUIRES: the function outlives this.
  ControlFlow(const Program& program, const FunctionCode& function);

  [[nodiscard]] const FunctionCode& function() const { return *function_; }
  // What may run next: nothing behind a return, a jump out or a call that never returns.
  [[nodiscard]] std::span<const size_t> after(size_t index) const;
  // The function that a call calls; "" for anything else, and when it is not known.
  [[nodiscard]] const std::string& callee(size_t index) const { return callees_[index]; }

  using Set = std::vector<bool>;  // of instructions, by index
  [[nodiscard]] Set none() const { return Set(function_->code.size()); }
  // Everything that can run once `starts` have, up to and including the first of `stops` on each
  // way. The starts themselves only where a way leads back to them.
  [[nodiscard]] Set reachable(const Set& starts, const Set& stops) const;
  // The same from the entry of the function, which is in the result.
  [[nodiscard]] Set reachable_from_entry(const Set& stops) const;

 private:
  struct Next {
    size_t at[2];
    size_t count;
  };
  Set flood(std::vector<size_t> work, const Set& stops) const;

  const FunctionCode* function_;
  std::vector<Next> next_;
  std::vector<std::string> callees_;
};

}  // namespace mapscope
