// SPDX-License-Identifier: Apache-2.0
#include "agent/model/doubling_table.h"

#include <algorithm>
#include <string>

namespace mapscope {
namespace {

using Bytes = std::optional<uint64_t>;

// nullopt where one is not known or the sum is none that memory can have.
Bytes sum(const Bytes& a, const Bytes& b) {
  if (!a || !b || *a > UINT64_MAX - *b) return std::nullopt;
  return *a + *b;
}

}  // namespace

void DoublingTable::forget(const Key& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  maps_.erase(found->second);
  index_.erase(found);
}

DoublingTable::Map& DoublingTable::touch(const Resize& split) {
  const Key key{split.target->id, split.map_addr};
  if (const auto found = index_.find(key); found != index_.end()) {
    maps_.splice(maps_.begin(), maps_, found->second);
    Map& map = maps_.front();
    const bool follows =
        !map.directory || !split.old_directory || *map.directory == *split.old_directory;
    if (!follows) map.levels.clear();
    return map;
  }
  while (!maps_.empty() && maps_.size() >= max_maps_) {
    evicted_ += maps_.back().levels.size();
    forget(Key(maps_.back().key));
  }
  maps_.push_front(Map{key, std::nullopt, {}});
  index_.emplace(key, maps_.begin());
  return maps_.front();
}

std::optional<Doubling> DoublingTable::add(const Resize& resize) {
  if (resize.map_addr == 0 || !resize.old_slots || !resize.new_slots) return std::nullopt;
  if (*resize.new_slots <= *resize.old_slots) return std::nullopt;
  if (!resize.level || *resize.level == 0) forget({resize.target->id, resize.map_addr});
  if (!resize.level || *resize.level > kMaxLevel) return std::nullopt;
  const uint32_t depth = *resize.level;
  Map& map = touch(resize);
  map.directory = resize.new_directory;
  const auto [at, is_first] = map.levels.try_emplace(depth);
  Level& level = at->second;
  if (is_first) level.begin_ns = resize.begin_ns;
  ++level.splits;
  level.stall_ns += resize.stall_ns.value_or(resize.wall_ns.value_or(0));
  level.new_bytes = sum(level.new_bytes, resize.new_bytes);
  if (level.splits < uint64_t{1} << depth) return std::nullopt;

  Doubling doubling;
  doubling.target = resize.target;
  doubling.runtime = resize.runtime;
  doubling.program = resize.program;
  doubling.map_addr = resize.map_addr;
  doubling.map_type = resize.map_type;
  doubling.old_slots = std::min(*resize.old_slots, UINT64_MAX >> (depth + 1)) << depth;
  doubling.new_slots = 2 * doubling.old_slots;
  doubling.new_bytes = level.new_bytes;
  doubling.splits = level.splits;
  doubling.begin_ns = level.begin_ns;
  doubling.end_ns = resize.begin_ns + resize.wall_ns.value_or(0);
  doubling.stall_ns = level.stall_ns;
  map.levels.erase(at);
  return doubling;
}

}  // namespace mapscope
