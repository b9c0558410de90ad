// SPDX-License-Identifier: Apache-2.0
#include "agent/base/duration.h"

#include <array>
#include <charconv>
#include <cmath>

namespace mapscope {
namespace {

struct Unit {
  std::string_view name;
  double ns;
};

constexpr std::array<Unit, 8> kUnits = {{{"", 1e9},
                                         {"ns", 1},
                                         {"us", 1e3},
                                         {"µs", 1e3},
                                         {"ms", 1e6},
                                         {"s", 1e9},
                                         {"m", 60e9},
                                         {"h", 3600e9}}};
constexpr double kLongestNs = 100 * 365 * 86400e9;

}  // namespace

std::optional<uint64_t> parse_duration(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(value) || std::signbit(value)) return std::nullopt;
  const std::string_view name(rest, static_cast<size_t>(end - rest));
  for (const Unit& unit : kUnits) {
    if (name != unit.name) continue;
    const double ns = std::round(value * unit.ns);
    if (ns > kLongestNs) return std::nullopt;
    return static_cast<uint64_t>(ns);
  }
  return std::nullopt;
}

}  // namespace mapscope
