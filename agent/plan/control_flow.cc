// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/control_flow.h"

#include <optional>
#include <utility>

#include "agent/plan/go_calls.h"

namespace mapscope {

ControlFlow::ControlFlow(const Program& program, const FunctionCode& function)
    : function_(&function), next_(function.code.size()), callees_(function.code.size()) {
  for (size_t i = 0; i < function.code.size(); ++i) {
    const Instruction& in = function.code[i];
    if (in.flow == Flow::kCall) callees_[i] = callee_name(program, in);
    Next& next = next_[i];
    const bool goes_on = in.flow == Flow::kNext || in.flow == Flow::kConditionalJump ||
                         (in.flow == Flow::kCall && !never_returns(callees_[i]));
    if (goes_on && i + 1 < function.code.size()) next.at[next.count++] = i + 1;
    if (in.flow != Flow::kJump && in.flow != Flow::kConditionalJump) continue;
    if (const std::optional<size_t> target = function.index_at(in.target))
      next.at[next.count++] = *target;
  }
}

std::span<const size_t> ControlFlow::after(size_t index) const {
  return {next_[index].at, next_[index].count};
}

ControlFlow::Set ControlFlow::flood(std::vector<size_t> work, const Set& stops) const {
  Set seen = none();
  while (!work.empty()) {
    const size_t at = work.back();
    work.pop_back();
    if (seen[at]) continue;
    seen[at] = true;
    if (stops[at]) continue;
    for (const size_t next : after(at)) work.push_back(next);
  }
  return seen;
}

ControlFlow::Set ControlFlow::reachable(const Set& starts, const Set& stops) const {
  std::vector<size_t> work;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (!starts[i]) continue;
    for (const size_t next : after(i)) work.push_back(next);
  }
  return flood(std::move(work), stops);
}

ControlFlow::Set ControlFlow::reachable_from_entry(const Set& stops) const {
  return flood({0}, stops);
}

}  // namespace mapscope
