// SPDX-License-Identifier: Apache-2.0
// agent/export/json_object.h – writes one JSON object to the end of a string, without a tree.
//
//   { JsonObject event(out); event.text("kind", kind); { JsonObject map(event.member("map")); … } }
//
// The constructor writes the opening brace, the destructor the closing one. Unknown values leave no
// member: "" in text, nullopt in number, 0 in address. REQUIRES: keys need no escaping.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/export/text.h"

namespace mapscope {

class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;
  JsonObject(JsonObject&&) = delete;
  JsonObject& operator=(JsonObject&&) = delete;
  ~JsonObject() { out_ += '}'; }

  // Writes the key and leaves the value to the caller.
  std::string& member(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += key;
    out_ += "\":";
    return out_;
  }

  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    member(key) += '"';
    append_json_escaped(out_, value);
    out_ += '"';
  }

  void number(std::string_view key, uint64_t value) {
    const fmt::format_int digits(value);
    member(key).append(digits.data(), digits.size());
  }

  void number(std::string_view key, const std::optional<uint64_t>& value) {
    if (value) number(key, *value);
  }

  void boolean(std::string_view key, bool value) { member(key) += value ? "true" : "false"; }

  void address(std::string_view key, uint64_t value) {
    if (value == 0) return;
    member(key) += "\"0x";
    bool leading = true;
    for (int shift = 60; shift >= 0; shift -= 4) {
      const uint64_t digit = (value >> static_cast<unsigned>(shift)) & 15U;
      leading = leading && digit == 0;
      if (!leading) out_ += "0123456789abcdef"[digit];
    }
    out_ += '"';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace mapscope
