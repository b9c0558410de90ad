// SPDX-License-Identifier: Apache-2.0
// agent/export/place.h – a place in a program, for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mapscope {

inline constexpr std::string_view kUnknownText = "–";

// "Store::put store.cc:42" with the file's last component, "0x4011c0" without a function, "–"
// without either. Escaped for a terminal.
std::string place_text(std::string_view function, std::string_view file, uint32_t line,
                       uint64_t address);

// place_text() in at most `width` characters: the function gives way before the file and line do.
std::string fit_place(const std::string& place, size_t width);

}  // namespace mapscope
