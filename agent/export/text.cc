// SPDX-License-Identifier: Apache-2.0
#include "agent/export/text.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace mapscope {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";     // U+2026

uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c < 0xa0); }

// Reorder text or take no room, so that what is seen is not what is there.
bool is_deceptive(char32_t c) {
  return c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
         (c >= 0xe0000 && c <= 0xe0fff);
}

// Bytes that stand for themselves in a JSON string, whatever is around them.
constexpr std::array<bool, 256> kJsonPlain = [] {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

void append_json_special(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
  }
}

std::string_view html_entity(char32_t c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return is_control(c) || is_deceptive(c) ? kReplacement : std::string_view();
  }
}

// Calls on_char(character, its bytes) or, for a byte that is not UTF-8, on_bad(byte).
template <typename OnChar, typename OnBad>
void for_each_character(std::string_view text, OnChar on_char, OnBad on_bad) {
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    if (c.bytes == 0) {
      on_bad(byte_at(text, at));
      ++at;
    } else {
      on_char(c.value, text.substr(at, c.bytes));
      at += c.bytes;
    }
  }
}

}  // namespace

CodePoint decode_utf8(std::string_view text, size_t at) {
  const uint8_t lead = byte_at(text, at);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() - at < bytes) return {};
  auto value = static_cast<char32_t>(lead & (0xffU >> (bytes + 1)));
  for (size_t i = 1; i < bytes; ++i) {
    const uint8_t next = byte_at(text, at + i);
    if ((next & 0xc0U) != 0x80) return {};
    value = (value << 6U) | (next & 0x3fU);
  }
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kLeast[bytes] || surrogate || value > 0x10ffff) return {};
  return {value, bytes};
}

void append_json_escaped(std::string& out, std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && kJsonPlain[byte_at(text, end)]) ++end;
    out.append(text, at, end - at);
    at = end;
    if (at == text.size()) return;
    const CodePoint c = decode_utf8(text, at);
    if (c.bytes == 0) {
      out += kReplacement;
    } else if (c.bytes == 1) {
      append_json_special(out, text[at]);
    } else {
      out.append(text, at, c.bytes);
    }
    at += c.bytes == 0 ? 1 : c.bytes;
  }
}

void append_html_escaped(std::string& out, std::string_view text) {
  for_each_character(
      text,
      [&](char32_t c, std::string_view bytes) {
        const std::string_view entity = html_entity(c);
        out += entity.empty() ? bytes : entity;
      },
      [&](uint8_t) { out += kReplacement; });
}

void assign_label(std::string& out, std::string_view text) {
  out.clear();
  size_t room_for_ellipsis = 0;  // the longest prefix that leaves room for it
  bool full = false;
  const auto append = [&](std::string_view bytes) {
    full = full || out.size() + bytes.size() > kMaxLabelBytes;
    if (full) return;
    out += bytes;
    if (out.size() + kEllipsis.size() <= kMaxLabelBytes) room_for_ellipsis = out.size();
  };
  for_each_character(
      text,
      [&](char32_t c, std::string_view bytes) {
        append(is_control(c) && c != '\n' ? kReplacement : bytes);
      },
      [&](uint8_t) { append(kReplacement); });
  if (!full) return;
  out.resize(room_for_ellipsis);
  out += kEllipsis;
}

std::string printable(std::string_view text) {
  std::string out;
  for_each_character(
      text,
      [&](char32_t c, std::string_view bytes) {
        if (is_control(c) || is_deceptive(c)) {
          const auto value = static_cast<uint32_t>(c);
          out += value < 0x100 ? fmt::format("\\x{:02x}", value) : fmt::format("\\u{:04x}", value);
        } else {
          out += bytes;
        }
      },
      [&](uint8_t byte) { out += fmt::format("\\x{:02x}", byte); });
  return out;
}

size_t character_count(std::string_view text) {
  size_t count = 0;
  for_each_character(
      text, [&](char32_t, std::string_view) { ++count; }, [&](uint8_t) { ++count; });
  return count;
}

std::string shorten_middle(std::string_view text, size_t width) {
  const size_t count = character_count(text);
  if (count <= width) return std::string(text);
  // The end of a call site says more than its start.
  const size_t head = (width - 1) / 3;
  const size_t tail = width - 1 - head;
  std::string out;
  size_t index = 0;
  for_each_character(
      text,
      [&](char32_t, std::string_view bytes) {
        if (index == head) out += kEllipsis;
        if (index < head || index >= count - tail) out += bytes;
        ++index;
      },
      [](uint8_t) {});
  return out;
}

}  // namespace mapscope
