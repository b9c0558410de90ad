// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/symbolizer_limits.h – what symbols may cost.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mapscope {

// Counts and sizes are at least 1.
struct SymbolizerLimits {
  // Of one stack, without inlined calls.
  size_t max_frames = 64;
  // Executable mappings of one target; the others are not known.
  size_t max_mappings = 4096;
  // Addresses of one target whose frames are kept; the least recently used goes.
  size_t max_cached_addresses = 16'384;
  // Targets with parsed files; the least recently used forgets what it parsed, its files stay open.
  size_t max_open_sessions = 32;
  // Debug sections of one file, expanded; a larger file is used without its lines.
  uint64_t max_debug_bytes = 256U << 20;
  // Of all stacks together.
  size_t max_stacks = 65'536;
  size_t max_stack_bytes = 64U << 20;
  // An address in no known file makes the mappings be read again, at most this often; may be 0.
  std::chrono::milliseconds reload_interval{1000};
};

}  // namespace mapscope
