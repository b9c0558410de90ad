// SPDX-License-Identifier: Apache-2.0
// tests/support/go_lookups.h – asks a file everything that a Program can be asked.
#pragma once

#include <cstdint>
#include <span>

namespace mapscope::test {

// Opens the bytes as a Program and makes every kind of look-up. Returns whether it was a Go program
// that could be opened. What is found must agree with itself: aborts when not.
bool ask_everything(std::span<const uint8_t> file);

}  // namespace mapscope::test
