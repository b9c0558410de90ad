// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/call_site.h"

#include <algorithm>
#include <optional>
#include <string>

#include "agent/plan/found_place.h"
#include "agent/plan/site_class.h"

namespace mapscope {
namespace {

constexpr size_t kMaxCalls = 64;

Error unsupported(const ControlFlow& flow, const std::string& what) {
  return {ErrorKind::kUnsupported, std::string(flow.function().symbol.name) + ": " + what};
}

std::vector<size_t> find_calls(const Program& program, const ControlFlow& flow,
                               const ProbeSpec& spec, std::span<const GoInlinedCode> within) {
  std::vector<size_t> calls;
  const std::optional<Symbol> callee = program.find_function(spec.callee);
  if (!callee) return calls;
  for (size_t i = 0; i < flow.function().code.size(); ++i) {
    const Instruction& in = flow.function().code[i];
    if (in.flow == Flow::kCall && in.target == callee->vaddr && is_inside(within, in.vaddr))
      calls.push_back(i);
  }
  return calls;
}

// The call, or the nearest instruction before it in its straight line at which the fields reach the
// argument.
std::optional<size_t> where_reachable(const ControlFlow& flow, const ProbeSpec& spec, size_t call,
                                      const ArgumentPlaces* places) {
  if (places == nullptr) return call;
  const FunctionCode& function = flow.function();
  for (size_t i = call;; --i) {
    const std::optional<Place> place = places->at(i);
    if (place && can_reach(spec.descriptor, *place)) return i;
    if (i == 0 || function.is_jump_target(function.code[i].vaddr) ||
        function.code[i - 1].flow != Flow::kNext)
      return std::nullopt;
  }
}

}  // namespace

Result<std::vector<ChosenSite>> choose_calls(const Program& program, const ControlFlow& flow,
                                             const ProbeSpec& spec,
                                             std::span<const GoInlinedCode> within,
                                             const ArgumentPlaces* places,
                                             const KernelFacts& kernel) {
  const std::string callee(spec.callee);
  const std::vector<size_t> calls = find_calls(program, flow, spec, within);
  if (calls.empty()) {
    return Error{ErrorKind::kNotFound,
                 std::string(flow.function().symbol.name) + ": does not call " + callee};
  }
  if (calls.size() > kMaxCalls) return unsupported(flow, "calls " + callee + " in over 64 places");
  std::vector<ChosenSite> sites;
  for (const size_t call : calls) {
    const std::optional<size_t> index = where_reachable(flow, spec, call, places);
    if (!index) {
      return unsupported(flow, "where it calls " + callee + ", its argument " +
                                   std::to_string(spec.argument) + " is not to be found");
    }
    const Instruction& in = flow.function().code[*index];
    const Result<SiteClass> cost = site_class(in, kernel);
    if (!cost) return unsupported(flow, cost.error().text);
    ChosenSite site{&in, *cost, *index == call ? "the call" : "leads to the call and nowhere else",
                    false};
    if (places != nullptr) site.found = places->at(*index);
    sites.push_back(site);
  }
  return sites;
}

}  // namespace mapscope
