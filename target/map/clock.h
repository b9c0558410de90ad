// SPDX-License-Identifier: Apache-2.0
// target/map/clock.h – the clock of all truth: CLOCK_MONOTONIC, which is also what bpf_ktime_get_ns
// reads.
#pragma once

#include <time.h>

#include <cstdint>

namespace mapscope {

[[nodiscard]] inline uint64_t monotonic_ns() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace mapscope
