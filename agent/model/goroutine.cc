// SPDX-License-Identifier: Apache-2.0
#include "agent/model/goroutine.h"

#include <array>

namespace mapscope {
namespace {

constexpr uint32_t kScanBit = 0x1000;

}  // namespace

std::string_view goroutine_status(uint32_t status) {
  static constexpr std::array<std::string_view, 12> kNames = {
      "idle", "runnable", "running",   "syscall",   "waiting", "",
      "dead", "",         "copystack", "preempted", "leaked",  "deadextra"};
  status &= ~kScanBit;
  if (status >= kNames.size() || kNames[status].empty()) return "unknown";
  return kNames[status];
}

std::optional<Goroutine> goroutine_of(const ms_goroutine& raw, const MapTypes* programs) {
  if (raw.g == 0 || raw.id == 0) return std::nullopt;
  Goroutine goroutine;
  goroutine.id = raw.id;
  goroutine.status = goroutine_status(raw.status);
  goroutine.stack_lo = raw.stack_lo;
  goroutine.stack_hi = raw.stack_hi;
  goroutine.m = static_cast<int64_t>(raw.m);
  if (programs == nullptr || raw.start_pc == 0) return goroutine;
  if (const auto start = programs->function_at(raw.start_pc))
    goroutine.start_function = start->name;
  return goroutine;
}

}  // namespace mapscope
