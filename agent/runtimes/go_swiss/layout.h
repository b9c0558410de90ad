// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_swiss/layout.h – where the swiss map keeps what a resize is told by.
//
//   Map (48 bytes)
//     +0  used        uint64   entries
//     +16 dirPtr      pointer  to dirLen pointers to tables; to the only group of a small map
//     +24 dirLen      int      1 << globalDepth; 0: small, one group of 8 slots
//     +32 globalDepth uint8
//     +34 writing     uint8    1: being written
//   table (32 bytes)
//     +0  used        uint16   entries
//     +2  capacity    uint16   slots, a power of two from 8 to 1024
//     +4  growthLeft  uint16   slots that may still be taken
//     +6  localDepth  uint8    bits of the hash that lead to it
//
// An insert that finds no slot left calls pruneTombstones() (1.25 and later), and, if that frees
// none, rehash(): a table of less than 1024 slots is replaced by one of twice as many (grow), one
// of 1024 by two of 1024 (split), for which the directory doubles when the table was reached by all
// its bits. A full small map becomes one table of 16 slots in growToTable(). All of it happens
// inside that one insert.
//
// Source: golang/go src/internal/runtime/maps/{map,table}.go at go1.24.4, go1.25.12, go1.26.11 and
// go1.27.4. The same in all of them.
#pragma once

#include <cstdint>

namespace mapscope::go_swiss {

constexpr int32_t kMapUsedOffset = 0;
constexpr int32_t kDirectoryOffset = 24;
constexpr int32_t kTableUsedOffset = 0;
constexpr int32_t kCapacityOffset = 2;
constexpr int32_t kGrowthLeftOffset = 4;
constexpr int32_t kLocalDepthOffset = 6;

// Iter: key, elem, typ, m.
constexpr int32_t kIteratorMapOffset = 24;

constexpr uint64_t kGroupSlots = 8;
constexpr uint64_t kMaxGroupLoad = 7;  // on average, in a table of more than one group
constexpr uint64_t kMaxTableSlots = 1024;
// growToTable(): a table of 2 * abi.MapGroupSlots.
constexpr uint64_t kFirstTableSlots = 16;

}  // namespace mapscope::go_swiss
