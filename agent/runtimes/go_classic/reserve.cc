// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_classic/reserve.h"

#include "agent/runtimes/go_allocator.h"
#include "agent/runtimes/go_classic/layout.h"

namespace mapscope::go_classic {
namespace {

constexpr uint64_t kMaxLog2 = 48;

}  // namespace

// overLoadFactor(count, B) is count > max_entries(B).
uint64_t max_entries(uint64_t log2, const GoVersion& version) {
  if (log2 == 0) return kBucketSlots;
  const bool is_121 = version.major == 1 && version.minor == 21;
  const uint64_t numerator = is_121 ? kLoadNumerator121 : kLoadNumerator;
  return numerator * ((uint64_t{1} << log2) / kLoadDenominator);
}

uint64_t array_bytes(uint64_t log2, const GoMapType& type, const GoVersion& version) {
  uint64_t buckets = uint64_t{1} << log2;
  const auto object = [&] { return GoObject{buckets * type.group_bytes, type.group_has_pointers}; };
  if (log2 >= kSpareFromLog2) {
    buckets += uint64_t{1} << (log2 - kSpareFromLog2);
    buckets = go_usable_bytes(object(), version) / type.group_bytes;
  }
  return go_allocated_bytes(object(), version);
}

Reserve reserve_of(uint64_t log2, const GoVersion& version) {
  Reserve reserve;
  if (log2 != 0) reserve.hint = max_entries(log2 - 1, version) + 1;
  reserve.slots = kBucketSlots << log2;
  reserve.holds = max_entries(log2, version);
  return reserve;
}

Reserve reserve_for(uint64_t entries, const GoVersion& version) {
  uint64_t log2 = 0;
  while (log2 < kMaxLog2 && entries > max_entries(log2, version)) ++log2;
  return reserve_of(log2, version);
}

}  // namespace mapscope::go_classic
