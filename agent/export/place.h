// SPDX-License-Identifier: Apache-2.0
// agent/export/place.h – a place in a program, for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mapscope {

inline constexpr std::string_view kUnknownText = "–";
inline constexpr std::string_view kNoLineText = "line not sampled";

// "Store::put store.cc:42" with the file's last component, "0x4011c0" without a function,
// kNoLineText without either. Escaped for a terminal.
std::string place_text(std::string_view function, std::string_view file, uint32_t line,
                       uint64_t address);

// place_text() in at most `width` characters: the function gives way before the file and line do.
std::string fit_place(const std::string& place, size_t width);

// "fill template.go:42 ← main.run app.go:7": a place, and the one in the program's own code ("":
// none) that led there, of which the function gives way first.
std::string fit_places(const std::string& place, const std::string& own, size_t width);

}  // namespace mapscope
