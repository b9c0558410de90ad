// SPDX-License-Identifier: Apache-2.0
// agent/export/event_text.h – rare events as one line for people: rows, the log, the landing page.
//
// Threads: pure. Names that come from a target are escaped for a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/model/resize.h"

namespace mapscope {

inline constexpr size_t kWhole = std::string::npos;

// "goroutine 18 (thread 4246)", or "thread 4246" where there is no goroutine.
std::string writer_text(uint64_t goid, uint32_t tid);
// "map 0xc000123000 map[string]int"; what is unknown is left out.
// `longest`: characters of the type, which is cut in its middle.
std::string map_text(uint64_t address, std::string_view type, size_t longest = kWhole);
// The call site (agent/export/place.h); without one the caller's address.
std::string site_text(const StackPtr& stack, uint64_t caller);

// "goroutine 18 (thread 4246): fatal error: concurrent map writes of map 0xc000123000 at
// main.(*Store).Put store.go:42; the map last grew to 1 Ki slots 1.23 ms before"
std::string fatal_text(const Fatal& fatal);
// Who came in second, and what the first had been doing for how long.
struct RaceText {
  std::string second;
  std::string first;
};
RaceText race_text(const Race& race, size_t longest = kWhole);
// "store (pid 4242)"
std::string target_name(const Target& target);

}  // namespace mapscope
