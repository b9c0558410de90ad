// SPDX-License-Identifier: Apache-2.0
// agent/model/doubling_table.h – which splits of tables add up to a doubling of their map.
//
// A map that is a directory of tables grows by splitting one table at a time in two as large, and
// so what a map of one table does at once takes many inserts. The splits of level d, of tables
// whose ancestors split d times, lead from 2^d tables to 2^(d+1): a doubling is complete with the
// 2^d-th of them. Levels overlap: one table may split again before another of its age did.
//
// A map that was watched from the middle of a level never completes that level, only later ones. A
// map is taken for a new one at the same address, and its counts are dropped, when it grows
// without a level or splits at level 0, which no map does twice, or when a split finds a directory
// that the one before did not leave. So a lost record costs the doublings that were under way. A
// map made with just the directory that another one left at its address is not told apart from it.
// Memory:  bounded: of at most `max_maps` maps, the one that split longest ago goes first. What
//          was incomplete at it is counted in evicted(). What was incomplete at a map that became
//          another is not: that map will never double.
// Threads: one; evicted() may be called from any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <unordered_map>

#include "agent/model/resize.h"

namespace mapscope {

class DoublingTable {
 public:
  explicit DoublingTable(size_t max_maps = 4096) : max_maps_(max_maps) {}

  // Takes every resize, in the order of their ends within a map. Returns the doubling that this one
  // completed. REQUIRES: resize.target is not nullptr.
  std::optional<Doubling> add(const Resize& resize);

  // Doublings under way when their map was forgotten for want of room.
  [[nodiscard]] uint64_t evicted() const { return evicted_.load(); }
  [[nodiscard]] size_t maps() const { return maps_.size(); }

 private:
  // A level beyond it has more splits than anybody counts.
  static constexpr uint32_t kMaxLevel = 32;

  struct Key {
    uint32_t target = 0;
    uint64_t map_addr = 0;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const {
      return std::hash<uint64_t>{}((key.map_addr ^ key.target) * 0x9e3779b97f4a7c15U);
    }
  };
  struct Level {
    uint64_t splits = 0;
    uint64_t begin_ns = 0;
    uint64_t stall_ns = 0;
    std::optional<uint64_t> new_bytes = 0;  // nullopt: that of one split is not known
  };
  struct Map {
    Key key;
    std::optional<uint64_t> directory;  // that the last split left
    std::map<uint32_t, Level> levels;   // under way; at most kMaxLevel
  };
  using Maps = std::list<Map>;  // that split last is at the front

  void forget(const Key& key);
  Map& touch(const Resize& split);

  size_t max_maps_;
  Maps maps_;
  std::unordered_map<Key, Maps::iterator, Hash> index_;
  std::atomic<uint64_t> evicted_ = 0;
};

}  // namespace mapscope
