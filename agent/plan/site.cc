// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/site.h"

#include <cstdio>
#include <string>

#include "agent/plan/site_class.h"

namespace mapscope {
namespace {

// A function with more ways out than this is not worth a probe on each.
constexpr size_t kMaxExits = 256;

Error unsupported(const FunctionCode& function, const std::string& what) {
  return {ErrorKind::kUnsupported, std::string(function.symbol.name) + ": " + what};
}

std::string at(const FunctionCode& function, uint64_t vaddr) {
  return " at +" + std::to_string(vaddr - function.symbol.vaddr);
}

std::string_view why_entry(const Instruction& in, SiteClass site_class, bool first) {
  switch (site_class) {
    case SiteClass::kEmulated:
      if (in.is_nop) return "nop at entry";
      return first ? "first instruction" : "arguments are still untouched";
    case SiteClass::kSingleStepped:
      return "no cheaper instruction before arguments change";
  }
  return "";
}

ChosenSite choose_exit(const FunctionCode& function, size_t ret, SiteClass ret_class,
                       const KernelFacts& kernel) {
  const ChosenSite plain = {&function.code[ret], ret_class,
                            "the return itself, nothing cheap before it"};
  if (ret == 0) return plain;
  const Instruction& before = function.code[ret - 1];
  // A jump to the return would pass the nop by.
  if (!before.is_nop || function.is_jump_target(function.code[ret].vaddr)) return plain;
  const Result<SiteClass> cost = site_class(before, kernel);
  if (!cost || *cost >= ret_class) return plain;
  return {&before, *cost, "nop before the return"};
}

}  // namespace

// The walk starts at the first instruction, which is correct by definition, and goes on as long as
// what it passed has changed nothing that the probe reads.
Result<ChosenSite> choose_entry(const FunctionCode& function, const KernelFacts& kernel) {
  if (function.is_jump_target(function.symbol.vaddr)) {
    return unsupported(function,
                       "a jump inside it leads back to its entry, which would count twice");
  }
  ChosenSite best;
  std::string refusal;
  for (const Instruction& in : function.code) {
    if (function.is_jump_target(in.vaddr)) break;
    const Result<SiteClass> cost = site_class(in, kernel);
    if (!cost && refusal.empty()) refusal = cost.error().text;
    if (cost && (best.instruction == nullptr || *cost < best.site_class)) {
      best = {&in, *cost, why_entry(in, *cost, &in == &function.code.front())};
    }
    if (!in.keeps_arguments) break;
  }
  if (best.instruction == nullptr)
    return unsupported(function, "its entry cannot be probed: " + refusal);
  return best;
}

Result<std::vector<ChosenSite>> choose_exits(const FunctionCode& function,
                                             const KernelFacts& kernel) {
  if (function.jump_out) {
    return unsupported(function,
                       "leaves by a jump to another function" + at(function, *function.jump_out));
  }
  if (function.indirect_jump) {
    return unsupported(function, "has a computed jump" + at(function, *function.indirect_jump) +
                                     ", which may be a way out");
  }
  std::vector<ChosenSite> sites;
  for (size_t i = 0; i < function.code.size(); ++i) {
    if (function.code[i].flow != Flow::kReturn) continue;
    const Result<SiteClass> cost = site_class(function.code[i], kernel);
    if (!cost) return unsupported(function, cost.error().text);
    if (sites.size() == kMaxExits) return unsupported(function, "returns in over 256 places");
    sites.push_back(choose_exit(function, i, *cost, kernel));
  }
  if (sites.empty()) return unsupported(function, "never returns");
  return sites;
}

}  // namespace mapscope
