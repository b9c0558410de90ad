// SPDX-License-Identifier: Apache-2.0
// agent/base/duration.h – durations as people write them: "5ms", "1.5s", "5m", or plain seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mapscope {

inline constexpr std::string_view kDurationForms = "5ms, 1.5s, 5m or a number of seconds";

// In ns. A number, decimal and not negative, and one of ns, us, µs, ms, s, m, h, or no unit:
// seconds. nullopt: something else, or more than a hundred years.
std::optional<uint64_t> parse_duration(std::string_view text);

}  // namespace mapscope
