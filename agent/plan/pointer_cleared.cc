// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/pointer_cleared.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "agent/plan/found_place.h"
#include "agent/plan/go_calls.h"
#include "agent/plan/site_class.h"

namespace mapscope {
namespace {

// How far before a store a site is looked for, in instructions.
constexpr size_t kMaxBefore = 24;

struct Store {
  size_t index;
  Register object;
};

Error unsupported(const ControlFlow& flow, const std::string& what) {
  return {ErrorKind::kUnsupported, std::string(flow.function().symbol.name) + ": " + what};
}

bool is_zeroed(const Instruction& in, Register reg) {
  return in.operation == Operation::kXor && in.operands[0].is_register(reg) &&
         in.operands[1].is_register(reg);
}

// Whether `reg` was set to 0 right before, with nothing in between that changes it.
bool holds_zero(const FunctionCode& function, size_t index, Register reg) {
  for (size_t i = index; i-- > 0 && index - i < kMaxBefore;) {
    const Instruction& in = function.code[i];
    if (is_zeroed(in, reg)) return true;
    if ((in.written & set_of(reg)) != 0 || in.flow != Flow::kNext) return false;
    if (function.is_jump_target(function.code[i + 1].vaddr)) return false;
  }
  return false;
}

// mov qword [object + offset], 0
std::optional<Register> plain_store(const FunctionCode& function, size_t index, int32_t offset) {
  const Instruction& in = function.code[index];
  const Operand& to = in.operands[0];
  const Operand& from = in.operands[1];
  if (in.operation != Operation::kMove || to.size != 8 || to.base >= Register::kIp ||
      to.base == Register::kSp || !to.is_memory(to.base, offset))
    return std::nullopt;
  const bool zero =
      from.kind == Operand::Kind::kImmediate
          ? from.value == 0
          : from.kind == Operand::Kind::kRegister && holds_zero(function, index, from.reg);
  return zero ? std::optional(to.base) : std::nullopt;
}

// Before 1.21 the write barrier stores, too: at the address in RDI. Later ones are named for how
// many pointers they take.
bool stores_by_barrier(const std::string& callee) {
  constexpr std::string_view kName = "runtime.gcWriteBarrier";
  return callee.starts_with(kName) &&
         !(callee.size() == kName.size() + 1 && callee.back() >= '0' && callee.back() <= '9');
}

// lea reg, [object + offset], a copy of that to RDI maybe, and the call of the write barrier.
std::optional<Register> barrier_store(const ControlFlow& flow, size_t index, int32_t offset) {
  const FunctionCode& function = flow.function();
  const Instruction& in = function.code[index];
  const Operand& from = in.operands[1];
  if (in.operation != Operation::kLoadAddress || from.base >= Register::kIp ||
      !from.is_memory(from.base, offset))
    return std::nullopt;
  RegisterSet addresses = set_of(in.operands[0].reg);
  for (size_t i = index + 1; i < function.code.size() && i - index < kMaxBefore; ++i) {
    const Instruction& next = function.code[i];
    if (stores_by_barrier(flow.callee(i)))
      return (addresses & set_of(Register::kDi)) != 0 ? std::optional(from.base) : std::nullopt;
    if (next.flow != Flow::kNext) break;
    const bool copies = next.operation == Operation::kMove && next.operands[0].size == 8 &&
                        next.operands[1].kind == Operand::Kind::kRegister &&
                        (addresses & set_of(next.operands[1].reg)) != 0;
    addresses &= ~next.written;
    if (copies) addresses |= set_of(next.operands[0].reg);
  }
  return std::nullopt;
}

std::vector<Store> find_stores(const ControlFlow& flow, int32_t offset,
                               std::span<const GoInlinedCode> within) {
  std::vector<Store> stores;
  const FunctionCode& function = flow.function();
  for (size_t i = 0; i < function.code.size(); ++i) {
    if (!is_inside(within, function.code[i].vaddr)) continue;
    std::optional<Register> object = plain_store(function, i, offset);
    if (!object) object = barrier_store(flow, i, offset);
    if (object) stores.push_back({i, *object});
  }
  return stores;
}

// What may have changed when it has run.
RegisterSet changed_by(const ControlFlow& flow, size_t index) {
  const Instruction& in = flow.function().code[index];
  return in.flow == Flow::kCall ? changed_by_call(flow.callee(index)) : in.written;
}

// The stores that are reached from a site and from nowhere else, when every way from it leads to
// one of them with the object still in its register; otherwise none.
std::vector<Store> stores_behind(const ControlFlow& flow, const std::vector<Store>& stores,
                                 size_t site) {
  ControlFlow::Set ends = flow.none();
  for (const Store& store : stores) ends[store.index] = true;
  std::vector<Store> behind;
  if (ends[site]) {
    behind.push_back(*std::find_if(stores.begin(), stores.end(),
                                   [&](const Store& store) { return store.index == site; }));
    return behind;
  }
  ControlFlow::Set start = flow.none();
  start[site] = true;
  const ControlFlow::Set passed = flow.reachable(start, ends);
  if (passed[site]) return {};
  const ControlFlow::Set other_ways = flow.reachable_from_entry(start);
  RegisterSet changed = changed_by(flow, site);
  for (size_t i = 0; i < passed.size(); ++i) {
    if (!passed[i]) continue;
    if (flow.after(i).empty() || other_ways[i]) return {};
    if (!ends[i]) changed |= changed_by(flow, i);
  }
  for (const Store& store : stores) {
    if (passed[store.index]) behind.push_back(store);
  }
  const bool known = std::all_of(behind.begin(), behind.end(), [&](const Store& store) {
    return store.object == behind.front().object && (changed & set_of(store.object)) == 0;
  });
  return known ? behind : std::vector<Store>{};
}

// The jump that asks whether the collector runs, right before `index`: cmp dword [rip + …], 0; jcc.
std::optional<size_t> barrier_check(const FunctionCode& function, size_t index) {
  for (size_t i = index; i-- > 0 && index - i < kMaxBefore;) {
    if (function.code[i].flow != Flow::kConditionalJump) continue;
    size_t before = i;
    while (before > 0 && function.code[--before].is_nop) {
    }
    const Instruction& compare = function.code[before];
    const bool asks = compare.operation == Operation::kCompare &&
                      compare.operands[0].base == Register::kIp &&
                      compare.operands[1].kind == Operand::Kind::kImmediate;
    return asks ? std::optional(i) : std::nullopt;
  }
  return std::nullopt;
}

// Whether the store is done on both ways of that jump, so that none is overlooked.
bool is_done_either_way(const ControlFlow& flow, const std::vector<Store>& stores, size_t store) {
  const std::optional<size_t> check = barrier_check(flow.function(), store);
  if (!check) return true;
  ControlFlow::Set ends = flow.none();
  for (const Store& one : stores) ends[one.index] = true;
  ControlFlow::Set start = flow.none();
  start[*check] = true;
  const ControlFlow::Set passed = flow.reachable(start, ends);
  if (!passed[store]) return true;
  for (size_t i = 0; i < passed.size(); ++i) {
    if (passed[i] && !ends[i] && flow.after(i).empty()) return false;
  }
  return !passed[*check];
}

struct Candidate {
  ChosenSite site;
  std::vector<Store> stores;
};

// The best site for `store`: the cheapest, of equals the nearest.
Candidate find_site(const ControlFlow& flow, const std::vector<Store>& stores, const Store& store,
                    const KernelFacts& kernel) {
  Candidate best;
  const size_t first = store.index > kMaxBefore ? store.index - kMaxBefore : 0;
  for (size_t i = store.index + 1; i-- > first;) {
    const Result<SiteClass> cost = site_class(flow.function().code[i], kernel);
    if (!cost || (best.site.instruction != nullptr && *cost >= best.site.site_class)) continue;
    std::vector<Store> behind = stores_behind(flow, stores, i);
    const bool covers = std::any_of(behind.begin(), behind.end(),
                                    [&](const Store& one) { return one.index == store.index; });
    if (!covers) continue;
    best.site = {
        &flow.function().code[i], *cost, "only the way to the last step passes here", false, 0,
        Place{store.object, 0}};
    best.stores = std::move(behind);
  }
  return best;
}

}  // namespace

Result<std::vector<ChosenSite>> choose_pointer_cleared(const ControlFlow& flow, int32_t offset,
                                                       std::span<const GoInlinedCode> within,
                                                       const KernelFacts& kernel) {
  const FunctionCode& function = flow.function();
  if (function.indirect_jump) return unsupported(flow, "has a computed jump");
  const std::vector<Store> stores = find_stores(flow, offset, within);
  if (stores.empty())
    return unsupported(flow, "stores 0 nowhere at offset " + std::to_string(offset));
  std::vector<ChosenSite> sites;
  ControlFlow::Set covered = flow.none();
  for (const Store& store : stores) {
    if (covered[store.index]) continue;
    if (!is_done_either_way(flow, stores, store.index))
      return unsupported(flow, "only one of the ways on which it stores 0 is known");
    const Candidate found = find_site(flow, stores, store, kernel);
    if (found.site.instruction == nullptr) {
      return unsupported(
          flow, "no instruction is passed exactly when 0 is stored at +" +
                    std::to_string(function.code[store.index].vaddr - function.symbol.vaddr));
    }
    for (const Store& one : found.stores) {
      if (covered[one.index]) return unsupported(flow, "one store of 0 would count twice");
      covered[one.index] = true;
    }
    sites.push_back(found.site);
  }
  return sites;
}

}  // namespace mapscope
