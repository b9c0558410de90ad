// SPDX-License-Identifier: Apache-2.0
// tests/support/screen.h – what a TerminalView writes, as lines.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/unique_fd.h"
#include "agent/export/resize_row.h"
#include "agent/export/terminal_view.h"

namespace mapscope {

// A view that writes to memory.
class Screen {
 public:
  explicit Screen(TerminalOptions options = {140})
      : file_(memfd_create("screen", MFD_CLOEXEC)),
        view_(file_.get(), options, WallClock(uint64_t{0})),
        legend_(wrap(row_legend(row_columns(options.width, false, true)), options.width, 4)) {}

  TerminalView& view() { return view_; }
  // All of it. Writes what the view still holds.
  std::string text() {
    [[maybe_unused]] const Status written = view_.tick(0);
    struct stat facts {};
    fstat(file_.get(), &facts);
    std::string text(static_cast<size_t>(facts.st_size), ' ');
    text.resize(static_cast<size_t>(pread(file_.get(), text.data(), text.size(), 0)));
    return text;
  }
  // Without the legend.
  std::vector<std::string> lines() {
    std::vector<std::string> all;
    std::istringstream stream(text());
    for (std::string line; std::getline(stream, line);) {
      const bool of_legend = std::any_of(legend_.begin(), legend_.end(), [&](const auto& part) {
        return line.find(part) != std::string::npos;
      });
      if (!of_legend) all.push_back(line);
    }
    return all;
  }

 private:
  UniqueFd file_;
  TerminalView view_;
  std::vector<std::string> legend_;
};

inline size_t count_lines(const std::vector<std::string>& lines, std::string_view part) {
  return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.find(part) != std::string::npos;
  }));
}

}  // namespace mapscope
