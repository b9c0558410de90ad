// SPDX-License-Identifier: Apache-2.0
// agent/export/text.h – strings that targets chose, made safe for where they are shown.
//
// Every function takes any bytes. "Appends" never throws anything but std::bad_alloc and leaves
// what was there. Threads: pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mapscope {

struct CodePoint {
  char32_t value = 0;
  size_t bytes = 0;  // 1 to 4; 0: the bytes at this place are not UTF-8
};

// The character at `text[at]`. REQUIRES: at < text.size().
// Refuses overlong forms, surrogates and values above U+10FFFF (Unicode 15, table 3-7).
CodePoint decode_utf8(std::string_view text, size_t at);

// The characters between the quotes of a JSON string (RFC 8259); bytes that are not UTF-8 become
// U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);

// Text of an HTML element or quoted attribute; bytes that are not UTF-8 and control characters
// become U+FFFD.
void append_html_escaped(std::string& out, std::string_view text);

// A Prometheus label value: valid UTF-8 of at most kMaxLabelBytes, without control characters
// except line feed; what is not becomes U+FFFD, what is longer ends in "…". The serializer adds
// the backslashes. Idempotent.
inline constexpr size_t kMaxLabelBytes = 200;
void assign_label(std::string& out, std::string_view text);

// For a terminal: control characters, characters that change the direction of text or have no
// width, and bytes that are not UTF-8 are written as \x1b or \u202e; a backslash stays as it is.
std::string printable(std::string_view text);

// At most `width` characters, the middle replaced by "…". REQUIRES: valid UTF-8, width >= 3.
std::string shorten_middle(std::string_view text, size_t width);

// Characters of valid UTF-8, which is what fmt pads by for all but East Asian wide ones.
size_t character_count(std::string_view text);

}  // namespace mapscope
