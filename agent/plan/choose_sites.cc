// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/choose_sites.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "agent/plan/argument_place.h"
#include "agent/plan/call_site.h"
#include "agent/plan/control_flow.h"
#include "agent/plan/early_exit.h"
#include "agent/plan/found_place.h"
#include "agent/plan/go_entry.h"
#include "agent/plan/last_check.h"
#include "agent/plan/near_exit.h"
#include "agent/plan/pointer_cleared.h"

namespace mapscope {
namespace {

using Sites = Result<std::vector<ChosenSite>>;

Error unsupported(const FunctionCode& function, const std::string& what) {
  return {ErrorKind::kUnsupported, std::string(function.symbol.name) + ": " + what};
}

Sites entry_site(const Program& program, const FunctionCode& function, const KernelFacts& kernel) {
  Result<ChosenSite> entry =
      function.is_go ? choose_go_entry(program, function, kernel) : choose_entry(function, kernel);
  if (!entry) return std::move(entry).error();
  return std::vector<ChosenSite>{*entry};
}

// Arguments that a probe behind an early exit may read.
constexpr RegisterSet kKept =
    set_of(Register::kAx) | set_of(Register::kBx) | set_of(Register::kCx) | set_of(Register::kR14);

bool reads_only_kept(const ms_descriptor& descriptor) {
  const auto fields = std::span(descriptor.fields).first(descriptor.field_count);
  return std::all_of(fields.begin(), fields.end(), [](const ms_field& field) {
    return field.reg == MS_REG_AX || field.reg == MS_REG_BX || field.reg == MS_REG_CX;
  });
}

std::optional<EarlyExit> early_exit_of(const Program& program, const ControlFlow& flow,
                                       const KernelFacts& kernel) {
  if (!flow.function().is_go) return std::nullopt;
  const Result<ChosenSite> entry = choose_go_entry(program, flow.function(), kernel);
  return entry ? find_early_exit(flow, *entry, kKept, kernel) : std::nullopt;
}

Sites past_early_exit(const Program& program, const ControlFlow& flow, const ProbeSpec& spec,
                      const KernelFacts& kernel) {
  if (reads_only_kept(spec.descriptor)) {
    if (const auto exit = early_exit_of(program, flow, kernel))
      return std::vector<ChosenSite>{exit->behind};
  }
  return entry_site(program, flow.function(), kernel);
}

// The returns that can be reached once a word of an object has been stored at `offset`.
ControlFlow::Set behind_stores(const ControlFlow& flow, int32_t offset) {
  ControlFlow::Set stores = flow.none();
  for (size_t i = 0; i < stores.size(); ++i) {
    const Instruction& in = flow.function().code[i];
    const Operand& to = in.operands[0];
    stores[i] = in.writes_memory && in.flow == Flow::kNext && to.kind == Operand::Kind::kMemory &&
                to.base != Register::kSp && to.is_memory(to.base, offset);
  }
  return flow.reachable(stores, flow.none());
}

// The exit with the highest address, or the others that are not early ones.
Sites split_exits(const Program& program, const ControlFlow& flow, const ProbeSpec& spec,
                  const KernelFacts& kernel) {
  const FunctionCode& function = flow.function();
  Sites exits = choose_exits(function, kernel);
  if (!exits) return exits;
  const ControlFlow::Set behind = behind_stores(flow, spec.offset);
  size_t returns = 0;
  size_t last = 0;
  for (size_t i = 0; i < behind.size(); ++i) {
    if (function.code[i].flow != Flow::kReturn) continue;
    last = i;
    if (behind[i]) ++returns;
  }
  if (returns != 1 || !behind[last])
    return unsupported(function, "its last way out is not the only one after a change");
  if (spec.site == Site::kLastExit) return std::vector<ChosenSite>{exits->back()};
  exits->pop_back();
  if (const auto early = early_exit_of(program, flow, kernel)) {
    std::erase_if(*exits, [&](const ChosenSite& site) {
      return early->not_taken[*function.index_at(site.instruction->vaddr)];
    });
  }
  if (exits->empty()) return unsupported(function, "has one way out only");
  return exits;
}

// Whether the copied code works on spec.offset of the argument: the argument is its own then, too.
bool works_on_argument(const ControlFlow& flow, const ProbeSpec& spec,
                       std::span<const GoInlinedCode> within, const ArgumentPlaces& places) {
  for (size_t i = 0; i < flow.function().code.size(); ++i) {
    const Instruction& in = flow.function().code[i];
    if (!is_inside(within, in.vaddr)) continue;
    for (const Operand& operand : in.operands) {
      if (operand.is_memory(operand.base, spec.offset) && operand.base != Register::kSp &&
          in.operation != Operation::kLoadAddress && places.holds(i, operand.base))
        return true;
    }
  }
  return false;
}

Sites sites_in(const Program& program, const ControlFlow& flow, const ProbeSpec& spec,
               std::span<const GoInlinedCode> within, const ArgumentPlaces* places,
               const KernelFacts& kernel) {
  const FunctionCode& function = flow.function();
  switch (spec.site) {
    case Site::kEntry:
      return entry_site(program, function, kernel);
    case Site::kExit:
      return choose_exits(function, kernel);
    case Site::kLastExit:
    case Site::kOtherExits:
      return split_exits(program, flow, spec, kernel);
    case Site::kPastEarlyExit:
      return past_early_exit(program, flow, spec, kernel);
    case Site::kNearExit:
      return choose_near_exits(flow, spec.callee, kernel);
    case Site::kCall:
      return choose_calls(program, flow, spec, within, places, kernel);
    case Site::kPointerCleared:
      return choose_pointer_cleared(flow, spec.offset, within, kernel);
    case Site::kLastCheck:
      return choose_last_checks(flow, spec.callee, kernel);
  }
  return unsupported(function, "asks for an unknown site");
}

// Fills in what no choice of a site has found.
Status find_argument(const ControlFlow& flow, const ProbeSpec& spec, const ArgumentPlaces& places,
                     ChosenSite* site) {
  if (site->found) return Done{};
  site->found = places.at(*flow.function().index_at(site->instruction->vaddr));
  if (site->found && can_reach(spec.descriptor, *site->found)) return Done{};
  return unsupported(flow.function(), "its argument " + std::to_string(spec.argument) +
                                          " is not to be found at `" + site->instruction->text +
                                          "`");
}

}  // namespace

Sites choose_sites(const Program& program, const FunctionCode& function, const ProbeSpec& spec,
                   std::span<const GoInlinedCode> within, const KernelFacts& kernel) {
  const bool is_whole = within.empty();
  if (!is_whole && spec.site != Site::kCall && spec.site != Site::kPointerCleared)
    return unsupported(function, "a copy of " + std::string(spec.symbol) + " has no such place");
  const ControlFlow flow(program, function);
  std::optional<ArgumentPlaces> places;
  if (asks_for_found(spec.descriptor) && spec.site != Site::kPointerCleared) {
    if (program.go == nullptr || function.indirect_jump)
      return unsupported(function, "its arguments cannot be followed");
    places.emplace(program, flow, spec.argument);
    if (!is_whole && !works_on_argument(flow, spec, within, *places)) {
      return unsupported(function, "the copy of " + std::string(spec.symbol) +
                                       " works on something else than argument " +
                                       std::to_string(spec.argument));
    }
  }
  Sites sites = sites_in(program, flow, spec, within, places ? &*places : nullptr, kernel);
  if (!sites || !places) return sites;
  for (ChosenSite& site : *sites) {
    if (Status found = find_argument(flow, spec, *places, &site); !found)
      return std::move(found).error();
  }
  return sites;
}

}  // namespace mapscope
