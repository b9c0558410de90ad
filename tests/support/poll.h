// SPDX-License-Identifier: Apache-2.0
// tests/support/poll.h – waiting for a condition, never for a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

namespace mapscope::test {

// Set in a virtual machine that may be emulated, where everything takes tens of times longer.
inline bool in_slow_machine() { return std::getenv("MAPSCOPE_VM") != nullptr; }

// Of a load whose every step is a probe hit: a tenth where each takes tens of times longer.
inline std::string load_size(uint64_t count) {
  return std::to_string(in_slow_machine() ? count / 10 : count);
}

// Longer than anything takes that is not broken. Reaching it fails a test; nothing is tuned to it.
inline std::chrono::seconds backstop() {
  return std::chrono::seconds(in_slow_machine() ? 400 : 60);
}

// Looks until condition() is true. False: it was not within the backstop.
template <typename Condition>
[[nodiscard]] bool poll_until(Condition&& condition) {
  const auto limit = std::chrono::steady_clock::now() + backstop();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace mapscope::test
