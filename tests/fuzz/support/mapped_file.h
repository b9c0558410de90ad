// SPDX-License-Identifier: Apache-2.0
// tests/fuzz/support/mapped_file.h – a file as if a process had mapped its code.
#pragma once

#include <optional>

#include "agent/symbolize/memory_map.h"
#include "tests/fuzz/support/fuzz_target.h"

namespace mapscope::test {

inline constexpr uint64_t kMappedBase = 0x7f0000000000;

// Where the loader would map the first executable segment, at most kMaxMappedBytes of it; nullopt
// when the file has none.
inline constexpr uint64_t kMaxMappedBytes = 1U << 20;
std::optional<ExecutableMapping> mapping_of(Input file);

}  // namespace mapscope::test
