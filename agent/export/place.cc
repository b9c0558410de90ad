// SPDX-License-Identifier: Apache-2.0
#include "agent/export/place.h"

#include <fmt/format.h>

#include "agent/export/text.h"
#include "agent/symbolize/demangle.h"

namespace mapscope {
namespace {

// The end of a function's name says more than its namespaces.
std::string shorten_left(const std::string& text, size_t width) {
  size_t surplus = character_count(text);
  if (surplus <= width) return text;
  size_t at = 0;
  for (surplus -= width - 1; surplus > 0; --surplus) at += decode_utf8(text, at).bytes;
  return "…" + text.substr(at);
}

}  // namespace

std::string place_text(std::string_view function, std::string_view file, uint32_t line,
                       uint64_t address) {
  if (function.empty()) {
    return address == 0 ? std::string(kNoLineText) : fmt::format("{:#x}", address);
  }
  std::string text = printable(readable_function(function));
  if (file.empty()) return text;
  text += ' ';
  text += printable(file.substr(file.rfind('/') + 1));
  if (line != 0) text += fmt::format(":{}", line);
  return text;
}

std::string fit_place(const std::string& place, size_t width) {
  constexpr size_t kLeastFunction = 5;
  const size_t blank = place.rfind(' ');
  if (blank == std::string::npos) return shorten_middle(place, width);
  const std::string where = place.substr(blank);
  const size_t taken = character_count(where);
  if (taken + kLeastFunction > width) return shorten_middle(place, width);
  return shorten_left(place.substr(0, blank), width - taken) + where;
}

std::string fit_places(const std::string& place, const std::string& own, size_t width) {
  constexpr std::string_view kFrom = " ← ";
  if (own.empty()) return fit_place(place, width);
  std::string whole = fmt::format("{}{}{}", place, kFrom, own);
  if (character_count(whole) <= width) return whole;
  const std::string end = std::string(kFrom) + own.substr(own.rfind(' ') + 1);
  const size_t taken = character_count(end);
  if (taken >= width / 2) return fit_place(place, width);
  return fit_place(place, width - taken) + end;
}

}  // namespace mapscope
