// SPDX-License-Identifier: Apache-2.0
#include "agent/model/caller_table.h"

#include <algorithm>
#include <functional>

namespace mapscope {

CallerKey CallerTable::view(const Key& key) {
  CallerKey view = key.key;
  view.map_type = key.map_type;
  return view;
}

size_t CallerTable::Hash::operator()(const CallerKey& key) const {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;
  uint64_t hash = std::hash<std::string_view>{}(key.map_type);
  for (const uint64_t word : {key.file, uint64_t{key.target}, key.address}) {
    hash = (hash ^ word) * kGolden;
    hash ^= hash >> 29;
  }
  return hash;
}

CallerTable::Place CallerTable::place_of(const Frame* frame) {
  if (frame == nullptr) return {};
  return {frame->function, frame->file, frame->line, frame->function.empty() ? frame->address : 0};
}

void CallerTable::remember(const CallerKey& key, uint64_t address, const StackPtr& stack) {
  const Frame* const site = stack->site_frame();
  // A return address, or where the probe itself stands.
  const bool is_in_site =
      site != nullptr && (site->address == address || site->address == address + 1);
  auto known = callers_.find(key);
  const bool is_new = known == callers_.end();
  if (is_new) {
    if (callers_.size() >= kMaxCallers) callers_.clear();
    Key owned{key, std::string(key.map_type)};
    known = callers_.emplace(std::move(owned), Entry{}).first;
  }
  Entry& entry = known->second;
  Place here = place_of(site);
  Place own = place_of(stack->own_frame());
  entry.ambiguous |= key.file != 0 ? !is_in_site : !is_new && here != entry.site;
  entry.own_differs |= !is_new && own != entry.own;
  entry.site = std::move(here);
  entry.own = std::move(own);
  entry.stack = stack;
}

CallerTable::Found CallerTable::find(const CallerKey& key) const {
  const auto known = callers_.find(key);
  if (known == callers_.end() || known->second.ambiguous) return {};
  return {known->second.stack.lock(), !known->second.own_differs};
}

void CallerTable::forget(std::span<const uint32_t> targets) {
  std::erase_if(callers_, [&](const auto& entry) {
    const CallerKey& key = entry.first.key;
    return key.file == 0 && std::ranges::binary_search(targets, key.target);
  });
}

}  // namespace mapscope
