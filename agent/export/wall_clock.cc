// SPDX-License-Identifier: Apache-2.0
#include "agent/export/wall_clock.h"

#include <fmt/format.h>

#include <ctime>

namespace mapscope {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

uint64_t now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);  // cannot fail for these clocks
  return static_cast<uint64_t>(now.tv_sec) * kSecondNs + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

uint64_t monotonic_now_ns() { return now_ns(CLOCK_MONOTONIC); }

WallClock::WallClock() { to_realtime_ns(monotonic_now_ns()); }

uint64_t WallClock::to_realtime_ns(uint64_t monotonic_ns) {
  if (!fixed_ && monotonic_ns > measured_ns_ + kSecondNs) {
    measured_ns_ = monotonic_now_ns();
    offset_ns_ = now_ns(CLOCK_REALTIME) - measured_ns_;
  }
  return monotonic_ns + offset_ns_;
}

std::string_view WallClock::rfc3339(uint64_t monotonic_ns) {
  const uint64_t real_ns = to_realtime_ns(monotonic_ns);
  const auto second = static_cast<int64_t>(real_ns / kSecondNs);
  if (second != utc_second_) {
    const time_t time = second;
    tm fields{};
    gmtime_r(&time, &fields);
    fmt::format_to_n(utc_.data(), utc_.size(), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.",
                     fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday, fields.tm_hour,
                     fields.tm_min, fields.tm_sec);
    utc_second_ = second;
  }
  fmt::format_to_n(utc_.data() + 20, 10, "{:09}Z", real_ns % kSecondNs);
  return {utc_.data(), 30};
}

std::string_view WallClock::time_of_day(uint64_t monotonic_ns) {
  const uint64_t real_ns = to_realtime_ns(monotonic_ns);
  const auto second = static_cast<int64_t>(real_ns / kSecondNs);
  if (second != local_second_) {
    const time_t time = second;
    tm fields{};
    localtime_r(&time, &fields);
    fmt::format_to_n(local_.data(), local_.size(), "{:02}:{:02}:{:02}.", fields.tm_hour,
                     fields.tm_min, fields.tm_sec);
    local_second_ = second;
  }
  fmt::format_to_n(local_.data() + 9, 3, "{:03}", real_ns % kSecondNs / 1'000'000);
  return {local_.data(), 12};
}

}  // namespace mapscope
