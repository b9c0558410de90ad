// SPDX-License-Identifier: Apache-2.0
// agent/model/advice.h – for how many entries the maps of a call site should be made, from the
// sizes that they reached.
//
// Sizes are kept by powers of two of a map's slots, with the runtime's own word for what such a map
// must be made for. Of each size: how many growths led to it, what they cost, and how many maps
// stayed at it. A map that is made for a size is spared every growth up to it; one that would have
// stayed smaller then takes more memory. So of a size
//   growths saved  = those to it and to smaller ones
//   time saved     = what the inserts of those growths paid; a growth whose insert was not timed
//                    counts as nothing. It is an upper bound: the table is still allocated, once
//                    and outside of any insert.
//   bytes saved    = what those growths replaced, and so made garbage
//   memory added   = over the maps that stayed smaller, what they are smaller by.
//
// The rule. The size advised is the least that all but one map in kBeyond stay below or reach: what
// the greatest of 5,000 maps needs is nothing to the others. Where it would add more slots than the
// growths replaced that it saves, it is the next smaller size that maps have and that does not. So
// the maps together become at most about twice as large, and a size is never advised for the few at
// the others' cost.
//
// Maps that never grew are not seen: advice adds memory to them, too.
// Pure; bounded: at most 64 sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/runtimes/reserve.h"

namespace mapscope {

struct Savings {
  uint64_t growths = 0;
  uint64_t time_ns = 0;
  uint64_t bytes = 0;
};

struct Advice {
  Reserve reserve;
  Savings savings;
  uint64_t maps = 0;         // that grew
  uint64_t beyond = 0;       // of them, those that need more and go on growing
  uint64_t smaller = 0;      // of them, those that need less
  uint64_t added_bytes = 0;  // to the smaller ones, all together; 0 unknown
  Reserve largest;           // what the largest of them must be made for
};

class SizeHistogram {
 public:
  struct Growth {
    Reserve reserve;  // REQUIRES: slots is not 0
    uint64_t old_slots = 0;
    uint64_t time_ns = 0;
    uint64_t old_bytes = 0;
  };
  // The number of the size that it led to; sizes are ordered by it, and one doubling is one apart.
  uint8_t add(const Growth& growth);

  static uint8_t size_of(uint64_t slots);
  // A map that was not seen before has come to the size.
  void arrives(uint8_t size) { ++at(size).maps; }
  // A map has gone from one size to another.
  void moves(uint8_t from, uint8_t to);
  // Whether there is a map of this size, or one that is as large or larger.
  [[nodiscard]] bool has_map(uint8_t size) const;
  [[nodiscard]] bool has_map_from(uint8_t size) const;
  [[nodiscard]] uint64_t maps() const;

  // nullopt: nothing has grown.
  [[nodiscard]] std::optional<Advice> advice() const;

 private:
  static constexpr uint64_t kBeyond = 20;

  struct Size {
    uint8_t number = 0;
    Reserve reserve;
    uint64_t maps = 0;  // that stayed at it
    uint64_t replaced_slots = 0;
    Savings savings;  // by being spared the growths that led to it
  };
  Size& at(uint8_t number);
  [[nodiscard]] Advice advice_for(size_t chosen) const;
  [[nodiscard]] bool is_worth_it(size_t chosen) const;

  std::vector<Size> sizes_;  // by number
};

}  // namespace mapscope
