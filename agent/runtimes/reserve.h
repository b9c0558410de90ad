// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/reserve.h – what a program gets that makes a map for a number of entries.
#pragma once

#include <cstdint>

namespace mapscope {

struct Reserve {
  uint64_t hint = 0;   // the fewest entries to ask for
  uint64_t slots = 0;  // of the map that is made then
  uint64_t holds = 0;  // entries that it takes without growing; 0 unknown
  uint64_t bytes = 0;  // of its tables, as the allocator counts them; 0 unknown

  friend bool operator==(const Reserve&, const Reserve&) = default;
};

}  // namespace mapscope
