// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/sync_map/room.h – Go's sync.Map: until 1.23 a map to read from and a dirty one,
// since then a trie of hashes. It shares a program with one of the rooms of Go's maps.
//
// Its events are points. Until 1.23: promotion, when as many look-ups missed as the dirty map has
// entries and it becomes the one to read from; rebuild, when the next new key makes a dirty map and
// all entries are copied to it. Since 1.24: expansion, when two keys share the hash so far and
// nodes are put between them.
#pragma once

#include "agent/runtimes/runtime.h"

namespace mapscope::sync_map {

// The room, for registry.cc.
const Runtime& runtime();

// Index in begin_fields[] of a resize record; the order of the probes' descriptors. kRebuilt and
// kExpanded are the map once more, so that their bits of begin_valid tell the probes apart: the
// former is read by all but the promotion's, the latter by the expansion's only.
enum Field { kMap, kMisses, kEntries = kMisses, kDirtyEntries, kRebuilt, kExpanded };

}  // namespace mapscope::sync_map
