// SPDX-License-Identifier: Apache-2.0
#include "agent/model/advice.h"

#include <algorithm>
#include <bit>

namespace mapscope {

uint8_t SizeHistogram::size_of(uint64_t slots) {
  return static_cast<uint8_t>(std::bit_width(slots));
}

SizeHistogram::Size& SizeHistogram::at(uint8_t number) {
  const auto found =
      std::lower_bound(sizes_.begin(), sizes_.end(), number,
                       [](const Size& size, uint8_t wanted) { return size.number < wanted; });
  if (found != sizes_.end() && found->number == number) return *found;
  return *sizes_.insert(found, Size{number, {}, 0, 0, {}});
}

uint8_t SizeHistogram::add(const Growth& growth) {
  const uint8_t number = size_of(growth.reserve.slots);
  Size& size = at(number);
  if (growth.reserve.hint >= size.reserve.hint) size.reserve = growth.reserve;
  size.replaced_slots += growth.old_slots;
  ++size.savings.growths;
  size.savings.time_ns += growth.time_ns;
  size.savings.bytes += growth.old_bytes;
  return number;
}

void SizeHistogram::moves(uint8_t from, uint8_t to) {
  if (from >= to) return;
  Size& before = at(from);
  before.maps -= std::min<uint64_t>(before.maps, 1);
  ++at(to).maps;
}

bool SizeHistogram::has_map(uint8_t size) const {
  return std::any_of(sizes_.begin(), sizes_.end(),
                     [&](const Size& one) { return one.number == size && one.maps != 0; });
}

bool SizeHistogram::has_map_from(uint8_t size) const {
  return std::any_of(sizes_.begin(), sizes_.end(),
                     [&](const Size& one) { return one.number >= size && one.maps != 0; });
}

uint64_t SizeHistogram::maps() const {
  uint64_t maps = 0;
  for (const Size& size : sizes_) maps += size.maps;
  return maps;
}

Advice SizeHistogram::advice_for(size_t chosen) const {
  Advice advice;
  advice.reserve = sizes_[chosen].reserve;
  advice.largest = sizes_.back().reserve;
  bool bytes_known = advice.reserve.bytes != 0;
  for (size_t i = 0; i < sizes_.size(); ++i) {
    const Size& size = sizes_[i];
    advice.maps += size.maps;
    if (i > chosen) advice.beyond += size.maps;
    if (i > chosen) continue;
    advice.savings.growths += size.savings.growths;
    advice.savings.time_ns += size.savings.time_ns;
    advice.savings.bytes += size.savings.bytes;
    if (i == chosen || size.maps == 0) continue;
    advice.smaller += size.maps;
    bytes_known = bytes_known && size.reserve.bytes != 0;
    const uint64_t less = std::min(size.reserve.bytes, advice.reserve.bytes);
    advice.added_bytes += size.maps * (advice.reserve.bytes - less);
  }
  if (!bytes_known) advice.added_bytes = 0;
  return advice;
}

// In floating point, because a target says what it likes.
bool SizeHistogram::is_worth_it(size_t chosen) const {
  double added = 0;
  double saved = 0;
  for (size_t i = 0; i <= chosen; ++i) {
    const double less = static_cast<double>(sizes_[chosen].reserve.slots) -
                        static_cast<double>(sizes_[i].reserve.slots);
    added += static_cast<double>(sizes_[i].maps) * less;
    saved += static_cast<double>(sizes_[i].replaced_slots);
  }
  return added <= saved;
}

std::optional<Advice> SizeHistogram::advice() const {
  if (sizes_.empty()) return std::nullopt;
  const uint64_t most_beyond = maps() / kBeyond;
  size_t chosen = sizes_.size() - 1;
  for (uint64_t beyond = sizes_[chosen].maps; chosen > 0 && beyond <= most_beyond;)
    beyond += sizes_[--chosen].maps;
  while (chosen > 0 && (sizes_[chosen].maps == 0 || !is_worth_it(chosen))) --chosen;
  return advice_for(chosen);
}

}  // namespace mapscope
