// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_swiss/reserve.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "agent/runtimes/go_allocator.h"
#include "agent/runtimes/go_swiss/layout.h"

namespace mapscope::go_swiss {
namespace {

constexpr double kMaxOverflowChance = 1e-3;  // of a map to have a table that is too full
constexpr uint64_t kTableHeaderBytes = 32;
constexpr size_t kMaxDepth = 41;  // of a directory that a record may speak of
constexpr uint64_t kMaxEntries = uint64_t{1} << 48;

// So far from the middle that the normal distribution leaves no more than `chance` beyond.
double deviations_for(double chance) {
  double low = 0;
  double high = 40;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(middle / std::sqrt(2.0)) / 2 > chance ? low : high) = middle;
  }
  return high;
}

// So many that no table of them takes more than `limit`: the quantile of the binomial distribution
// by Cornish and Fisher, with its skew.
uint64_t safe_entries(uint64_t limit_of_one, uint64_t of_tables) {
  const auto limit = static_cast<double>(limit_of_one);
  const auto tables = static_cast<double>(of_tables);
  const double z = deviations_for(kMaxOverflowChance / tables);
  const double share = 1 / tables;
  double mean = limit;
  for (int i = 0; i < 20; ++i) {
    const double skew = (z * z - 1) / 6 * (1 - 2 * share);
    mean = std::max(limit + 0.5 - z * std::sqrt(mean * (1 - share)) - skew, 0.0);
  }
  return static_cast<uint64_t>(mean * tables);
}

}  // namespace

Shape made_for(uint64_t hint) {
  if (hint <= kGroupSlots || hint > kMaxEntries) return {1, kGroupSlots};
  const uint64_t slots = hint * kGroupSlots / kMaxGroupLoad;
  const uint64_t tables = std::bit_ceil((slots + kMaxTableSlots - 1) / kMaxTableSlots);
  return {tables, std::bit_ceil(std::max(slots / tables, kGroupSlots))};
}

uint64_t hint_for(const Shape& shape) {
  if (shape.slots <= kGroupSlots) return 0;
  // A share of one slot more than half of them is rounded up to all.
  const uint64_t slots = (shape.slots / 2 + 1) * shape.tables;
  const uint64_t hint = (slots * kMaxGroupLoad + kGroupSlots - 1) / kGroupSlots;
  return std::max(hint, kGroupSlots + 1);
}

uint64_t holds(const Shape& shape) {
  if (shape.slots <= kGroupSlots) return kGroupSlots;
  const uint64_t limit = shape.slots / kGroupSlots * kMaxGroupLoad;
  if (shape.tables == 1) return limit;
  if (shape.slots != kMaxTableSlots) return safe_entries(limit, shape.tables);
  // Every split asks.
  static const std::array<uint64_t, kMaxDepth + 1> of_full_tables = [] {
    std::array<uint64_t, kMaxDepth + 1> all{};
    for (size_t depth = 0; depth < all.size(); ++depth)
      all[depth] = safe_entries(kMaxTableSlots / kGroupSlots * kMaxGroupLoad, uint64_t{1} << depth);
    return all;
  }();
  return of_full_tables[std::min<size_t>(static_cast<size_t>(std::countr_zero(shape.tables)),
                                         kMaxDepth)];
}

uint64_t table_bytes(uint64_t slots, const GoMapType& type, const GoVersion& version) {
  const GoObject groups{slots / kGroupSlots * type.group_bytes, type.group_has_pointers};
  return go_allocated_bytes(groups, version) +
         go_allocated_bytes({kTableHeaderBytes, true}, version);
}

uint64_t directory_bytes(uint64_t tables, const GoVersion& version) {
  return go_allocated_bytes({tables * sizeof(uint64_t), true}, version);
}

Reserve reserve_of(const Shape& shape, const GoMapType* type, const GoVersion& version) {
  Reserve reserve;
  reserve.hint = hint_for(shape);
  reserve.slots = shape.tables * shape.slots;
  reserve.holds = holds(shape);
  if (type != nullptr && shape.slots > kGroupSlots)
    reserve.bytes = shape.tables * table_bytes(shape.slots, *type, version) +
                    directory_bytes(shape.tables, version);
  return reserve;
}

Reserve reserve_for(uint64_t entries, const GoMapType* type, const GoVersion& version) {
  Shape shape;
  while (holds(shape) < entries && shape.slots < kMaxTableSlots) shape.slots *= 2;
  while (holds(shape) < entries && shape.tables < kMaxEntries) shape.tables *= 2;
  return reserve_of(shape, type, version);
}

}  // namespace mapscope::go_swiss
