// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_allocator.h – how much memory Go's allocator takes for an object.
//
// Up to 32 KiB an object takes a whole size class, beyond that whole pages. Since 1.22 an object of
// more than 512 bytes that holds pointers has a header of 8 bytes in front, and what it then lacks
// to 32 KiB makes it a large one.
//
// Source: golang/go src/runtime/sizeclasses.go and msize.go at go1.19.8, go1.21.13, go1.22.12,
// go1.23.5 and go1.24.4; src/internal/runtime/gc/{sizeclasses,malloc}.go at go1.25.12, go1.26.11
// and go1.27.4. The classes are the same in all of them. (1.15 lacks that of 24 bytes, which no
// table takes.)
// Pure.
#pragma once

#include <cstdint>

#include "agent/binary/go_program.h"

namespace mapscope {

struct GoObject {
  uint64_t bytes = 0;
  bool has_pointers = true;
};

// What the allocator takes for it, as runtime.MemStats.TotalAlloc counts.
uint64_t go_allocated_bytes(const GoObject& object, const GoVersion& version);

// How large the object may be made for the same memory: roundupsize().
uint64_t go_usable_bytes(const GoObject& object, const GoVersion& version);

}  // namespace mapscope
