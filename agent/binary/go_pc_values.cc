// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_pc_values.h"

namespace mapscope {

PcValues::PcValues(const ImageBytes& bytes, const GoPclntab& table, uint32_t offset, uint64_t entry,
                   PcWork* work)
    : cursor_(bytes, table.pc_values() + offset, table.end()),
      work_(work),
      last_{entry, entry, -1},
      done_(offset == 0) {}

std::optional<PcRange> PcValues::next() {
  if (done_ || work_->steps_left == 0) return std::nullopt;
  --work_->steps_left;
  done_ = true;
  const auto value = cursor_.uvarint();
  if (!value || (*value == 0 && !first_)) return std::nullopt;
  const auto advance = cursor_.uvarint();
  if (!advance || *advance == 0 || *advance > UINT64_MAX - last_.end) return std::nullopt;
  const uint32_t delta = (*value >> 1) ^ (0U - (*value & 1));  // zigzag
  last_.value = static_cast<int32_t>(static_cast<uint32_t>(last_.value) + delta);
  last_.begin = last_.end;
  last_.end += *advance;
  first_ = false;
  done_ = false;
  return last_;
}

std::optional<int32_t> pc_value(const ImageBytes& bytes, const GoPclntab& table, uint32_t offset,
                                uint64_t entry, uint64_t pc, PcWork* work) {
  PcValues values(bytes, table, offset, entry, work);
  while (const auto range = values.next()) {
    if (pc < range->end) return pc >= range->begin ? std::optional(range->value) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace mapscope
