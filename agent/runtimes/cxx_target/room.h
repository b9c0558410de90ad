// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/cxx_target/room.h – maps that carry the symbol contract of
// target/map/mapscope_map.h.
//
// A resize is keyed by its map: it begins at the entry of mapscope_map_grow and ends at the entry
// of mapscope_map_finish_growth, in whatever thread that runs. mapscope_map_evacuate is not probed:
// it runs once per bucket, so watching it would cost an incremental growth more than the growth
// itself, and tells nothing new.
#pragma once

#include "agent/runtimes/runtime.h"

namespace mapscope::cxx_target {

// The room, for registry.cc.
const Runtime& runtime();

// Index in begin_fields[] of a resize record; the order of the begin probe's descriptor.
enum Field { kMap, kOldSlots, kNewSlots, kEntries, kNewBytes, kKind, kTrigger, kType };

}  // namespace mapscope::cxx_target
