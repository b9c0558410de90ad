// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_classic/reserve.h – what make() gives for a hint, and which hint gives a map.
//
// makemap() takes the fewest buckets, a power of two, that the hint does not overload; and the map
// grows at the insert that would overload them. So a hint of N takes N entries without a growth,
// exactly.
//
// Source: golang/go src/runtime/map.go makemap(), makeBucketArray() and overLoadFactor() at
// go1.19.8, go1.21.13, go1.22.12 and go1.23.5; map_noswiss.go at go1.24.4 and go1.25.12.
// Pure.
#pragma once

#include <cstdint>

#include "agent/binary/go_program.h"
#include "agent/runtimes/reserve.h"

namespace mapscope::go_classic {

// 2^log2 buckets hold so many entries: 6.5 each, but 6 in Go 1.21; a single one holds 8.
uint64_t max_entries(uint64_t log2, const GoVersion& version);

// Of the buckets, and of those that are added for overflow.
uint64_t array_bytes(uint64_t log2, const GoMapType& type, const GoVersion& version);

// A map of 2^log2 buckets; its bytes are left unknown.
Reserve reserve_of(uint64_t log2, const GoVersion& version);

// A map that is to take so many entries.
Reserve reserve_for(uint64_t entries, const GoVersion& version);

}  // namespace mapscope::go_classic
