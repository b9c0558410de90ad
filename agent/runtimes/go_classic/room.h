// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_classic/room.h – Go's map of buckets: all maps up to 1.23, and those of 1.24
// and 1.25 built with GOEXPERIMENT=noswissmap.
//
// A resize is keyed by its map: it begins at the entry of runtime.hashGrow and ends where the
// pointer to the old buckets is cleared, in whatever goroutine that happens, many inserts later. It
// may stay unfinished for as long as nobody writes to the map. The map's address changes when it
// lives on a goroutine's stack and that is moved.
#pragma once

#include "agent/runtimes/runtime.h"

namespace mapscope::go_classic {

// The room, for registry.cc.
const Runtime& runtime();

// Index in begin_fields[] of a resize record; the order of the begin probe's descriptor.
enum BeginField { kMap, kType, kCount, kLog2, kOverflow, kFlags };
// Likewise in end_fields[]: a register, which only the end probe of mapclear() reads, so that its
// bit of end_valid tells that end from the others.
enum EndField { kCleared = 2 };

}  // namespace mapscope::go_classic
