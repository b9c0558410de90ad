// SPDX-License-Identifier: Apache-2.0
// agent/export/columns.h – tables for terminals of any width, and text that wraps.
//
// A table has cells of fixed width and ends in a place (agent/export/place.h), which takes what is
// left of the line. On a narrow terminal some columns are left out and long names are cut; without
// a width (kUnlimited: no terminal) every column is there and nothing is cut. Threads: pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

inline constexpr size_t kUnlimited = 0;

struct Column {
  std::string_view head;
  size_t width = 0;
  size_t from = 0;    // shown on terminals of at least that width
  bool left = false;  // text: aligned to the left, cut in the middle; else a number, never cut
};

class Columns {
 public:
  Columns(std::vector<Column> columns, std::string_view last_head, size_t width)
      : columns_(std::move(columns)), last_head_(last_head), width_(width) {}

  [[nodiscard]] bool shows(size_t column) const {
    return width_ == kUnlimited || columns_[column].from <= width_;
  }
  [[nodiscard]] std::string head() const;
  // `own`: the place in the user's module that led there, or ""; `after` stands behind them, whole.
  // REQUIRES: a cell for each column, shown or not; printable.
  [[nodiscard]] std::string row(std::span<const std::string> cells, const std::string& place,
                                const std::string& own = {}, std::string_view after = {}) const;

 private:
  std::vector<Column> columns_;
  std::string_view last_head_;
  size_t width_;
};

// Lines of at most `width` characters, broken at blanks, those after the first indented. A word
// that is longer has a line of its own.
std::vector<std::string> wrap(std::string_view text, size_t width, size_t indent = 0);

}  // namespace mapscope
