// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/early_exit.h"

#include <cstddef>

#include "agent/plan/site_class.h"

namespace mapscope {
namespace {

// What runs from the entry site on without passing `stop`.
ControlFlow::Set run_before(const ControlFlow& flow, size_t entry, size_t stop) {
  ControlFlow::Set start = flow.none(), stops = flow.none();
  start[entry] = true;
  stops[stop] = true;
  ControlFlow::Set run = flow.reachable(start, stops);
  run[entry] = true;
  run[stop] = false;
  return run;
}

bool comes_back(const ControlFlow& flow, size_t index) {
  ControlFlow::Set start = flow.none();
  start[index] = true;
  return flow.reachable(start, flow.none())[index];
}

// Straight on, to one return at least, with nothing called and nothing kept overwritten.
bool is_early_exit(const ControlFlow& flow, const ControlFlow::Set& run, RegisterSet kept) {
  bool returns = false;
  for (size_t i = 0; i < run.size(); ++i) {
    if (!run[i]) continue;
    const Instruction& in = flow.function().code[i];
    if (in.flow == Flow::kReturn) {
      returns = true;
      continue;
    }
    if (in.flow == Flow::kCall || (in.written & kept) != 0) return false;
  }
  return returns;
}

bool has_loop(const ControlFlow& flow, const ControlFlow::Set& run) {
  for (size_t i = 0; i < run.size(); ++i) {
    if (run[i] && comes_back(flow, i)) return true;
  }
  return false;
}

}  // namespace

std::optional<EarlyExit> find_early_exit(const ControlFlow& flow, const ChosenSite& entry,
                                         RegisterSet kept, const KernelFacts& kernel) {
  const FunctionCode& function = flow.function();
  const std::optional<size_t> from = function.index_at(entry.instruction->vaddr);
  if (!from || function.indirect_jump || function.jump_out) return std::nullopt;
  for (size_t i = *from + 1; i < function.code.size(); ++i) {
    const Instruction& in = function.code[i];
    if (in.flow == Flow::kCall) return std::nullopt;
    const Result<SiteClass> cost = site_class(in, kernel);
    if (!cost || *cost == SiteClass::kSingleStepped || comes_back(flow, i)) continue;
    ControlFlow::Set run = run_before(flow, *from, i);
    if (!is_early_exit(flow, run, kept) || has_loop(flow, run)) continue;
    return EarlyExit{{&in, *cost, "calls that have nothing to do return before it", false},
                     std::move(run)};
  }
  return std::nullopt;
}

}  // namespace mapscope
