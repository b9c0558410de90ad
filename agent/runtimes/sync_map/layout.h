// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/sync_map/layout.h – where a sync.Map keeps what its reorganisations are told by.
//
//   Map, up to 1.19              Map, 1.20 and later
//     +8  read   atomic.Value      +8  read   pointer   the part that is read without a lock
//     +24 dirty  map               +16 dirty  map       all entries, under the lock; nil: as read
//     +32 misses int               +24 misses int       reads that had to take the lock
//
// missLocked() counts a miss and, when there were as many as dirty has entries, makes dirty the new
// read part (promotion); Range() does so at once. Both start the count again, so that what it says
// at promotions adds up to all misses before the last one, but for those that a Clear() (1.23) made
// it forget. dirtyLocked() copies the read part into a new dirty map for the next new key
// (rebuild). Since 1.24 a sync.Map is a trie instead, unless built with
// GOEXPERIMENT=nosynchashtriemap (1.24, 1.25): two keys with the same beginning of their hashes
// make it deeper there (expand). The trie's root is in the sync.Map itself.
//
// Source: golang/go src/sync/map.go at go1.15.15, go1.19.8, go1.21.13 and go1.23.5,
// src/internal/sync/hashtriemap.go at go1.24.4 and go1.27.4.
#pragma once

#include <cstdint>

namespace mapscope::sync_map {

constexpr int32_t kDirtyOffset = 16;
constexpr int32_t kMissesOffset = 24;
constexpr int32_t kDirtyOffsetUpTo119 = 24;
constexpr int32_t kMissesOffsetUpTo119 = 32;
// hmap and maps.Map: the number of entries stands first.
constexpr int32_t kEntriesOffset = 0;

}  // namespace mapscope::sync_map
