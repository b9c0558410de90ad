// SPDX-License-Identifier: Apache-2.0
// agent/export/largest_maps.h – how large the largest map of each type of each target is, as far as
// its growths tell.
// Threads: none of its own; the owner locks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "agent/export/series_table.h"

namespace mapscope {

class LargestMaps {
 public:
  // Runtime (static storage) and map type.
  using Types = std::map<std::pair<std::string_view, std::string>, uint64_t>;

  // `max_types`: of one target; further ones are one, named "other".
  explicit LargestMaps(size_t max_types) : max_types_(max_types) {}

  void add(uint32_t target, std::string_view runtime, std::string_view map_type, uint64_t bytes) {
    Types& types = targets_[target];
    Types::key_type key{runtime, map_type};
    if (types.size() >= max_types_ && !types.contains(key)) key.second = kOverflowLabel;
    uint64_t& most = types[std::move(key)];
    most = std::max(most, bytes);
  }
  void keep_only(const std::set<uint32_t>& targets) {
    std::erase_if(targets_, [&](const auto& entry) { return !targets.contains(entry.first); });
  }
  // By the target's number.
  [[nodiscard]] const std::map<uint32_t, Types>& all() const { return targets_; }

 private:
  size_t max_types_;
  std::map<uint32_t, Types> targets_;
};

}  // namespace mapscope
