// SPDX-License-Identifier: Apache-2.0
#include "agent/export/units.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <string_view>

namespace mapscope {
namespace {

struct Unit {
  double size;
  std::string_view name;
};

// Three digits: "1.23", "12.3", "123"; an exact whole number below 1000 has no decimals.
std::string three_digits(double value) {
  if (value >= 100) return fmt::format("{:.0f}", value);
  if (value >= 10) return fmt::format("{:.1f}", value);
  return fmt::format("{:.2f}", value);
}

// With the largest unit of `units` (descending) that leaves at least 1 after rounding.
std::string scaled(double value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value >= unit.size * 0.9995)
      return three_digits(value / unit.size) + std::string(unit.name);
  }
  return fmt::format("{:.0f}{}", value, units.back().name);
}

}  // namespace

std::string human_duration(uint64_t ns) {
  if (ns < 1000) return fmt::format("{} ns", ns);
  constexpr std::array<Unit, 4> kUnits = {
      {{3600e9, " h"}, {1e9, " s"}, {1e6, " ms"}, {1e3, " µs"}}};
  // Seconds are what people compare, up to a thousand of them.
  const std::span<const Unit> units(kUnits);
  return scaled(static_cast<double>(ns), ns < 1'000'000'000'000 ? units.subspan(1) : units);
}

std::string human_count(uint64_t count) {
  constexpr std::array<std::string_view, 7> kNames = {"", " Ki", " Mi", " Gi", " Ti", " Pi", " Ei"};
  size_t index = 0;
  auto value = static_cast<double>(count);
  for (; value >= 1023.5 && index + 1 < kNames.size(); ++index) value /= 1024;
  const bool whole = value == static_cast<double>(static_cast<uint64_t>(value));
  if (index == 0 || whole) return fmt::format("{:.0f}{}", value, kNames[index]);
  return three_digits(value) + std::string(kNames[index]);
}

std::string human_bytes(uint64_t bytes) {
  const std::string count = human_count(bytes);
  return count.find(' ') == std::string::npos ? count + " B" : count + "B";
}

std::string grouped(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

}  // namespace mapscope
