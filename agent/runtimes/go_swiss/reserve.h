// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_swiss/reserve.h – what make() gives for a hint, and which hint gives a map.
//
// NewMap() takes hint * 8/7 slots, whole ones: none for 8 and less, which a small map holds; up to
// 1024 one table, of the next power of two; beyond that as many tables as a power of two says, and
// shares the slots out. What a table gets is rounded up to a power of two again. So it is 512 as
// long as the shares are not a whole slot more: 897 gives two tables of 512 slots, which hold no
// more than one of 1024, and 898 two of 1024.
//
// A table takes 7/8 of its slots, and then grows or splits. One alone takes exactly those. Of many
// the fullest decides, and the hash shares the entries out unevenly: as the binomial distribution
// has it. holds() is where at least 999 of 1,000 maps have no table that is too full.
//
// Source: golang/go src/internal/runtime/maps/{map,table}.go NewMap(), newTable() and
// resetGrowthLeft() at go1.24.4, go1.25.12, go1.26.11 and go1.27.4. The same in all of them.
// Pure.
#pragma once

#include <cstdint>

#include "agent/binary/go_program.h"
#include "agent/runtimes/reserve.h"

namespace mapscope::go_swiss {

// `tables` of `slots` each; one of kGroupSlots is a small map.
struct Shape {
  uint64_t tables = 1;
  uint64_t slots = 8;

  friend bool operator==(const Shape&, const Shape&) = default;
};

Shape made_for(uint64_t hint);

// The fewest entries to ask for to get a map of this shape. REQUIRES: powers of two, and either one
// table or tables of kMaxTableSlots.
uint64_t hint_for(const Shape& shape);

// How many entries such a map takes without growing.
uint64_t holds(const Shape& shape);

// Of one table: its groups and its header. And of a directory.
uint64_t table_bytes(uint64_t slots, const GoMapType& type, const GoVersion& version);
uint64_t directory_bytes(uint64_t tables, const GoVersion& version);

// `type` may be nullptr: then the bytes are unknown.
Reserve reserve_of(const Shape& shape, const GoMapType* type, const GoVersion& version);

// For a map that is to take so many entries.
Reserve reserve_for(uint64_t entries, const GoMapType* type, const GoVersion& version);

}  // namespace mapscope::go_swiss
