// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_swiss/room.h – Go's swiss map, the default since 1.24.
//
// A resize is one call of rehash(), growToTable() or pruneTombstones() and is keyed by the
// goroutine that makes it. Slots are those of the one table (of the small map, for
// growToTable), not of the whole map, whose size is stored nowhere; entries are the map's.
#pragma once

#include "agent/runtimes/runtime.h"

namespace mapscope::go_swiss {

// The room, for registry.cc.
const Runtime& runtime();

// Index in begin_fields[] of a resize record; the order of the begin probes' descriptors. The
// highest that was read tells the probes apart: kPruned is read by pruneTombstones only, kMapUsed
// also by rehash. The others belong to growToTable;
// kFullOnly stands in the place of kCapacity and is read where the runtime grows a full small map
// for a key that it already has, too.
enum Field {
  kMap,
  kType,
  kUsed,
  kCapacity,
  kFullOnly = kCapacity,
  kLocalDepth,
  kDirectory,
  kMapUsed,
  kPruned
};

}  // namespace mapscope::go_swiss
