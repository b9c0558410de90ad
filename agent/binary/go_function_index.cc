// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_function_index.h"

#include <algorithm>
#include <functional>

namespace mapscope {
namespace {

constexpr size_t kMaxSameHash = 64;
constexpr uint64_t kSpareNameBytes = 1 << 20;

uint32_t hash_of(std::string_view name) {
  const uint64_t hash = std::hash<std::string_view>{}(name);
  return static_cast<uint32_t>(hash ^ hash >> 32);
}

// use(index, name) of every function, until it returns false or the names are longer than their
// table.
template <typename Use>
void for_each_name(const GoPclntab& table, Use use) {
  uint64_t left = table.end() - table.vaddr() + kSpareNameBytes;
  for (size_t i = 0; i < table.function_count(); ++i) {
    const auto record = table.record(i);
    const auto name = record ? table.name(record->name) : std::nullopt;
    if (!name) continue;
    if (name->size() >= left) break;
    left -= name->size();
    if (!use(i, *name)) break;
  }
}

}  // namespace

GoFunctionIndex::GoFunctionIndex(const GoPclntab& table) {
  entries_.reserve(table.function_count());
  for_each_name(table, [this](size_t index, std::string_view name) {
    entries_.push_back(uint64_t{hash_of(name)} << 32 | index);
    return true;
  });
  std::sort(entries_.begin(), entries_.end());
}

std::vector<size_t> GoFunctionIndex::starting_with(const GoPclntab& table,
                                                   std::span<const std::string_view> prefixes,
                                                   size_t max_functions) {
  std::vector<size_t> found;
  for_each_name(table, [&](size_t index, std::string_view name) {
    const bool wanted = std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
      return name.starts_with(prefix);
    });
    if (wanted && found.size() < max_functions) found.push_back(index);
    return found.size() < max_functions;
  });
  return found;
}

std::vector<size_t> GoFunctionIndex::matching(
    const GoPclntab& table, const std::function<bool(const std::string&)>& wanted) {
  std::vector<size_t> found;
  for_each_name(table, [&](size_t index, const std::string& name) {
    if (wanted(name)) found.push_back(index);
    return true;
  });
  return found;
}

std::optional<size_t> GoFunctionIndex::find(const GoPclntab& table, std::string_view name) const {
  const uint64_t hash = hash_of(name);
  auto at = std::lower_bound(entries_.begin(), entries_.end(), hash << 32);
  std::optional<size_t> best;
  uint64_t best_bytes = 0;
  for (size_t seen = 0; at != entries_.end() && *at >> 32 == hash && seen < kMaxSameHash;
       ++at, ++seen) {
    const auto index = static_cast<size_t>(*at & UINT32_MAX);
    const auto record = table.record(index);
    const auto end = table.entry(index + 1);
    if (!record || !end || *end <= record->entry || table.name(record->name) != name) continue;
    if (!best || *end - record->entry > best_bytes) {
      best = index;
      best_bytes = *end - record->entry;
    }
  }
  return best;
}

}  // namespace mapscope
