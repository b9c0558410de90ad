// SPDX-License-Identifier: Apache-2.0
// tests/support/table_growth.h – the growths of maps as two families of runtimes report them, for
// tests of what is computed from them. Each takes 100 ns.
//
// The numbers are those that a map of 20,000 integers reports when it is filled: one whole map that
// doubles, 8 slots a bucket and 6.5 entries a bucket; and one of tables up to 1024 slots, 7/8 full,
// that then split.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/support/sample_resize.h"

namespace mapscope {

inline constexpr uint64_t kSlotBytes = 16;
inline constexpr uint64_t kTableSlots = 1024;

// A growth of the whole map.
inline Resize whole_growth(const Sample& sample, uint64_t old_slots, uint64_t entries) {
  Resize resize = sample.resize;
  resize.kind = "grow";
  resize.old_slots = old_slots;
  resize.new_slots = 2 * old_slots;
  resize.entries = entries;
  resize.new_bytes = 2 * old_slots * kSlotBytes;
  resize.old_bytes = old_slots * kSlotBytes;
  resize.reserve = Reserve{entries + 1, 2 * old_slots, 0, 2 * old_slots * kSlotBytes};
  resize.wall_ns = resize.stall_ns = 100;
  resize.begin_ns = 1000;
  return resize;
}

// A split of one full table out of 2^level, in a directory that lists `directory` tables before.
inline Resize split(const Sample& sample, uint32_t level, uint64_t directory, uint64_t entries) {
  Resize resize = whole_growth(sample, kTableSlots, entries);
  resize.kind = "split";
  resize.level = level;
  resize.old_directory = directory;
  resize.new_directory = directory == uint64_t{1} << level ? 2 * directory : directory;
  const uint64_t tables = uint64_t{2} << std::min(level, 30U);
  resize.reserve = Reserve{((kTableSlots / 2 + 1) * tables * 7 + 7) / 8, tables * kTableSlots, 0,
                           tables * kTableSlots * kSlotBytes};
  return resize;
}

// 8 slots to 4096 buckets: hashGrow at (8,0) (13,1) (26,2) … (13312,11).
inline std::vector<Resize> doubling_map(const Sample& sample) {
  std::vector<Resize> growths;
  for (uint64_t buckets = 1; buckets < 4096; buckets *= 2)
    growths.push_back(whole_growth(sample, 8 * buckets, buckets == 1 ? 8 : buckets * 13 / 2));
  return growths;
}

// 1 small_to_table, 6 grow, and 1 + 2 + 4 + 8 + 16 = 31 split.
inline std::vector<Resize> splitting_map(const Sample& sample) {
  std::vector<Resize> growths = {whole_growth(sample, 8, 8)};
  growths[0].kind = "small_to_table";
  for (uint64_t slots = 16; slots < kTableSlots; slots *= 2)
    growths.push_back(whole_growth(sample, slots, slots * 7 / 8));
  for (uint32_t level = 0; level < 5; ++level) {
    const uint64_t tables = uint64_t{1} << level;
    for (uint64_t i = 0; i < tables; ++i) {
      growths.push_back(split(sample, level, i == 0 ? tables : 2 * tables, tables * 800 + 10 * i));
    }
  }
  return growths;
}

}  // namespace mapscope
