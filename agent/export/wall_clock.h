// SPDX-License-Identifier: Apache-2.0
// agent/export/wall_clock.h – CLOCK_MONOTONIC times as the RFC 3339 times that people and logs use.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mapscope {

uint64_t monotonic_now_ns();

// Adds the offset between CLOCK_REALTIME and CLOCK_MONOTONIC. The offset is measured again when a
// time more than a second after the last measurement is asked for, so that a stepped clock or a
// suspended machine is followed. Threads: one thread per object.
class WallClock {
 public:
  WallClock();
  // With a fixed offset that is never measured.
  explicit WallClock(uint64_t offset_ns) : offset_ns_(offset_ns), fixed_(true) {}

  // "2026-11-23T16:00:00.123456789Z"; valid until the next call.
  std::string_view rfc3339(uint64_t monotonic_ns);
  // Local time of day, "16:00:00.123"; valid until the next call.
  std::string_view time_of_day(uint64_t monotonic_ns);

 private:
  uint64_t to_realtime_ns(uint64_t monotonic_ns);

  uint64_t offset_ns_ = 0;
  uint64_t measured_ns_ = 0;
  bool fixed_ = false;
  int64_t utc_second_ = -1;
  int64_t local_second_ = -1;
  std::array<char, 31> utc_{};
  std::array<char, 13> local_{};
};

}  // namespace mapscope
