// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/last_check.h"

#include <algorithm>
#include <span>

#include "agent/plan/site_class.h"

namespace mapscope {
namespace {

// How much may stand between the jump and the call: spills, and the load of the text.
constexpr size_t kMaxBeforeCall = 12;

bool leads_to_call(const ControlFlow& flow, size_t first, std::string_view callee) {
  const FunctionCode& function = flow.function();
  const size_t end = std::min(function.code.size(), first + kMaxBeforeCall);
  for (size_t i = first; i < end; ++i) {
    if (function.code[i].flow == Flow::kCall) return flow.callee(i) == callee;
    if (function.code[i].flow != Flow::kNext) return false;
  }
  return false;
}

ControlFlow::Set find_checks(const ControlFlow& flow, std::string_view callee) {
  ControlFlow::Set checks = flow.none();
  for (size_t i = 0; i < checks.size(); ++i) {
    if (flow.function().code[i].flow != Flow::kConditionalJump) continue;
    const std::span<const size_t> ways = flow.after(i);
    checks[i] = std::any_of(ways.begin(), ways.end(),
                            [&](size_t way) { return leads_to_call(flow, way, callee); });
  }
  return checks;
}

bool intersect(const ControlFlow::Set& a, const ControlFlow::Set& b) {
  return !std::equal(a.begin(), a.end(), b.begin(),
                     [](bool left, bool right) { return !left || !right; });
}

// Those of `checks` behind which no other comes.
ControlFlow::Set last_of(const ControlFlow& flow, const ControlFlow::Set& checks) {
  ControlFlow::Set last = flow.none();
  for (size_t i = 0; i < checks.size(); ++i) {
    if (!checks[i]) continue;
    ControlFlow::Set start = flow.none();
    start[i] = true;
    last[i] = !intersect(flow.reachable(start, flow.none()), checks);
  }
  return last;
}

ControlFlow::Set returns_of(const ControlFlow& flow) {
  ControlFlow::Set returns = flow.none();
  for (size_t i = 0; i < returns.size(); ++i)
    returns[i] = flow.function().code[i].flow == Flow::kReturn;
  return returns;
}

}  // namespace

Result<std::vector<ChosenSite>> choose_last_checks(const ControlFlow& flow, std::string_view callee,
                                                   const KernelFacts& kernel) {
  const FunctionCode& function = flow.function();
  Result<std::vector<ChosenSite>> exits = choose_exits(function, kernel);
  if (!exits) return exits;
  const ControlFlow::Set last = last_of(flow, find_checks(flow, callee));
  const ControlFlow::Set behind = flow.reachable(last, flow.none());
  const ControlFlow::Set unchecked = flow.reachable_from_entry(last);
  std::vector<ChosenSite> sites;
  for (size_t i = 0; i < last.size(); ++i) {
    if (!last[i]) continue;
    const Result<SiteClass> cost = site_class(function.code[i], kernel);
    if (!cost) return exits;
    sites.push_back({&function.code[i], *cost, "the last check for a concurrent writer", false});
  }
  if (sites.empty()) return exits;
  const ControlFlow::Set returns = returns_of(flow);
  size_t exit = 0;
  for (size_t i = 0; i < returns.size(); ++i) {
    if (!returns[i]) continue;
    // One for every return, in order.
    const ChosenSite& site = (*exits)[exit++];
    if (!unchecked[i]) continue;
    if (behind[i]) return exits;
    sites.push_back(site);
  }
  return sites;
}

}  // namespace mapscope
