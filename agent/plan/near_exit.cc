// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/near_exit.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "agent/plan/site_class.h"

namespace mapscope {
namespace {

constexpr std::string_view kWriteBarrier = "runtime.gcWriteBarrier";

struct Candidate {
  size_t index = 0;
  SiteClass site_class = SiteClass::kEmulated;
  ControlFlow::Set behind;
  size_t length = 0;  // instructions behind it
};

bool may_be_behind(const ControlFlow& flow, size_t index, std::string_view callee) {
  if (flow.function().code[index].flow != Flow::kCall || flow.after(index).empty()) return true;
  const std::string& called = flow.callee(index);
  return called.starts_with(kWriteBarrier) || (!callee.empty() && called == callee);
}

std::optional<Candidate> candidate_at(const ControlFlow& flow, size_t index,
                                      std::string_view callee, const KernelFacts& kernel) {
  const Instruction& in = flow.function().code[index];
  if (in.flow == Flow::kCall || in.flow == Flow::kReturn) return std::nullopt;
  const Result<SiteClass> cost = site_class(in, kernel);
  if (!cost || *cost == SiteClass::kSingleStepped) return std::nullopt;
  ControlFlow::Set start = flow.none();
  start[index] = true;
  Candidate candidate{index, *cost, flow.reachable(start, flow.none()), 0};
  if (candidate.behind[index]) return std::nullopt;  // in a loop: passed more than once
  for (size_t i = 0; i < candidate.behind.size(); ++i) {
    if (!candidate.behind[i]) continue;
    if (!may_be_behind(flow, i, callee)) return std::nullopt;
    ++candidate.length;
  }
  return candidate;
}

std::vector<Candidate> candidates_in(const ControlFlow& flow, std::string_view callee,
                                     const KernelFacts& kernel) {
  const ControlFlow::Set run = flow.reachable_from_entry(flow.none());
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < run.size(); ++i) {
    if (!run[i]) continue;
    if (auto candidate = candidate_at(flow, i, callee, kernel))
      candidates.push_back(std::move(*candidate));
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.length < b.length; });
  return candidates;
}

// The last one that every way to this return passes.
const Candidate* last_before(const ControlFlow& flow, size_t ret,
                             const std::vector<Candidate>& candidates) {
  for (const Candidate& candidate : candidates) {
    if (!candidate.behind[ret]) continue;
    ControlFlow::Set stop = flow.none();
    stop[candidate.index] = true;
    if (!flow.reachable_from_entry(stop)[ret]) return &candidate;
  }
  return nullptr;
}

// Whether a way leads from one site to another.
bool meet(const std::vector<const Candidate*>& chosen, const std::vector<size_t>& returns) {
  return std::any_of(chosen.begin(), chosen.end(), [&](const Candidate* from) {
    const bool to_site = std::any_of(chosen.begin(), chosen.end(),
                                     [&](const Candidate* to) { return from->behind[to->index]; });
    return to_site || std::any_of(returns.begin(), returns.end(),
                                  [&](size_t ret) { return from->behind[ret]; });
  });
}

}  // namespace

Result<std::vector<ChosenSite>> choose_near_exits(const ControlFlow& flow, std::string_view callee,
                                                  const KernelFacts& kernel) {
  const FunctionCode& function = flow.function();
  Result<std::vector<ChosenSite>> exits = choose_exits(function, kernel);
  if (!exits) return exits;
  const std::vector<Candidate> candidates = candidates_in(flow, callee, kernel);
  std::vector<const Candidate*> chosen;
  std::vector<size_t> plain;  // returns that are sites themselves
  std::vector<ChosenSite> sites;
  size_t exit = 0;
  for (size_t i = 0; i < function.code.size(); ++i) {
    if (function.code[i].flow != Flow::kReturn) continue;
    const ChosenSite& own = (*exits)[exit++];  // one for every return, in order
    const Candidate* before = last_before(flow, i, candidates);
    if (before == nullptr) {
      plain.push_back(i);
      sites.push_back(own);
    } else if (std::find(chosen.begin(), chosen.end(), before) == chosen.end()) {
      chosen.push_back(before);
      sites.push_back({&function.code[before->index], before->site_class,
                       "every way to the return passes here, and nothing is called behind", false});
    }
  }
  if (meet(chosen, plain)) return exits;
  return sites;
}

}  // namespace mapscope
