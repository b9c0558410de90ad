// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_classic/layout.h – where the classic map keeps what a resize is told by.
//
//   hmap (48 bytes; 56 with GOEXPERIMENT=noswissmap on 1.24 and 1.25, the same up to oldbuckets)
//     +0  count       int      entries
//     +8  flags       uint8    4: being written, 8: grows into as many buckets
//     +9  B           uint8    2^B buckets of 8 slots
//     +10 noverflow   uint16   overflow buckets; beyond 2^15 buckets an estimate
//     +16 buckets     pointer
//     +24 oldbuckets  pointer  not nil while a growth is under way
//     +32 nevacuate   uintptr  old buckets below this have moved
//
// hashGrow() allocates the new buckets and turns the old ones into oldbuckets; every later insert
// and delete moves up to two of them; advanceEvacuationMark() ends it by clearing oldbuckets.
// mapclear() clears them too.
//
// Source: golang/go src/runtime/map.go at go1.15.15, go1.19.8, go1.21.13, go1.22.12 and go1.23.5;
// src/runtime/map_noswiss.go at go1.24.4 and go1.25.12. The same in all of them.
#pragma once

#include <cstdint>

namespace mapscope::go_classic {

constexpr int32_t kCountOffset = 0;
constexpr int32_t kFlagsOffset = 8;
constexpr int32_t kLog2Offset = 9;
constexpr int32_t kOverflowOffset = 10;
constexpr int32_t kOldBucketsOffset = 24;
constexpr int32_t kEvacuatedOffset = 32;

// hiter, since 1.15: key, elem, t, h.
constexpr int32_t kIteratorMapOffset = 24;

constexpr uint64_t kBucketSlots = 8;
// Grows beyond 13/16 of the slots: loadFactorNum / loadFactorDen entries a bucket.
// 1.21 computes them in integers: 8 * 13 / 16 is 6 there.
constexpr uint64_t kLoadNumerator = 13;
constexpr uint64_t kLoadNumerator121 = 12;
constexpr uint64_t kLoadDenominator = 2;
// makeBucketArray(): from 2^4 buckets on, 1/16 more for overflow.
constexpr uint64_t kSpareFromLog2 = 4;

}  // namespace mapscope::go_classic
