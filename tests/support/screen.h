// SPDX-License-Identifier: Apache-2.0
// tests/support/screen.h – what a TerminalView writes, as lines.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/export/terminal_view.h"

namespace mapscope {

// A view that writes to memory.
class Screen {
 public:
  explicit Screen(TerminalOptions options = {})
      : file_(open_memstream(&text_, &size_)), view_(file_, options, WallClock(uint64_t{0})) {}
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  Screen(Screen&&) = delete;
  Screen& operator=(Screen&&) = delete;
  ~Screen() {
    std::fclose(file_);
    std::free(text_);
  }
  TerminalView& view() { return view_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }
  std::vector<std::string> lines() {
    std::vector<std::string> all;
    std::istringstream stream(text());
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
  }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
  std::FILE* file_;
  TerminalView view_;
};

inline size_t count_lines(const std::vector<std::string>& lines, std::string_view part) {
  return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.find(part) != std::string::npos;
  }));
}

}  // namespace mapscope
