// SPDX-License-Identifier: Apache-2.0
// agent/export/largest_maps.h – how large the largest map of each type of each target is, as far as
// its growths tell.
// Threads: none of its own; the owner locks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace mapscope {

class LargestMaps {
 public:
  struct Key {
    uint32_t target = 0;
    std::string_view runtime;  // static storage
    std::string map_type;
    bool operator<(const Key& other) const {
      return std::tie(target, runtime, map_type) <
             std::tie(other.target, other.runtime, other.map_type);
    }
  };

  // `max`: entries; more are left out.
  explicit LargestMaps(size_t max) : max_(max) {}

  void add(uint32_t target, std::string_view runtime, std::string_view map_type, uint64_t bytes) {
    Key key{target, runtime, std::string(map_type)};
    if (const auto known = bytes_.find(key); known != bytes_.end()) {
      known->second = std::max(known->second, bytes);
    } else if (bytes_.size() < max_) {
      bytes_.emplace(std::move(key), bytes);
    }
  }
  void keep_only(const std::set<uint32_t>& targets) {
    std::erase_if(bytes_, [&](const auto& entry) { return !targets.contains(entry.first.target); });
  }
  [[nodiscard]] const std::map<Key, uint64_t>& all() const { return bytes_; }

 private:
  size_t max_;
  std::map<Key, uint64_t> bytes_;
};

}  // namespace mapscope
