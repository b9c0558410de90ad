// SPDX-License-Identifier: Apache-2.0
#include "agent/export/columns.h"

#include <algorithm>

#include "agent/export/place.h"
#include "agent/export/text.h"

namespace mapscope {
namespace {

constexpr size_t kLeastPlace = 8;

void add_padded(std::string& line, const std::string& text, const Column& column) {
  const size_t length = character_count(text);
  const std::string padding(column.width - std::min(column.width, length), ' ');
  line += column.left ? text + padding : padding + text;
  line += ' ';
}

}  // namespace

std::string Columns::head() const {
  std::vector<std::string> heads;
  heads.reserve(columns_.size());
  for (const Column& column : columns_) heads.emplace_back(column.head);
  return row(heads, std::string(last_head_));
}

std::string Columns::row(std::span<const std::string> cells, const std::string& place,
                         const std::string& own, std::string_view after) const {
  std::string line;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    if (!shows(i)) continue;
    const bool cut = column.left && width_ != kUnlimited;
    add_padded(line, cut ? shorten_middle(cells[i], column.width) : cells[i], column);
  }
  line += ' ';
  const size_t taken = character_count(line) + character_count(after);
  const size_t used = width_ == kUnlimited ? 0 : std::min(width_, taken);
  const size_t room =
      width_ == kUnlimited ? std::string::npos : std::max(width_ - used, kLeastPlace);
  return line + fit_places(place, own, room) + std::string(after);
}

std::vector<std::string> wrap(std::string_view text, size_t width, size_t indent) {
  std::vector<std::string> lines;
  std::string line;
  const std::string margin(indent, ' ');
  bool has_word = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' ', text.find_first_not_of(' ')), text.size());
    const std::string_view word = text.substr(0, end);
    const bool fits = width == kUnlimited || character_count(line) + character_count(word) <= width;
    if (has_word && !fits) {
      lines.push_back(std::move(line));
      line = margin + std::string(word.substr(word.find_first_not_of(' ')));
    } else {
      line += word;
    }
    has_word = true;
    text.remove_prefix(end);
  }
  lines.push_back(std::move(line));
  return lines;
}

}  // namespace mapscope
