// SPDX-License-Identifier: Apache-2.0
// agent/export/resize_row.h – the row of a resize: its columns, which agent/export/terminal_view.h
// defines, and its cells. Strings of targets are escaped. Threads: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/export/columns.h"
#include "agent/model/resize.h"

namespace mapscope {

enum RowColumn : size_t {
  kStall,
  kQueued,
  kMove,
  kTime,
  kProcess,
  kSlots,
  kKind,
  kEntries,
  kThread,
  kStates,
  kMap,
  kFaults,
  kType,
  kRowColumns
};

// `goroutines`, `threads`: which of them rows name.
Columns row_columns(size_t width, bool goroutines, bool threads);
// What the columns mean, in one sentence.
std::string row_legend(const Columns& columns);
// `time`: of the begin, "16:00:00.123".
std::string resize_row(const Resize& resize, const Columns& columns, std::string time,
                       size_t width);

// "store/4242", cut where there is a width, so that the pid is whole.
std::string process_text(const Target& target, size_t width);
// Without a blank, "16Ki".
std::string short_count(uint64_t count);
// shorten_middle() where there is a terminal.
std::string cut(const std::string& text, size_t to, size_t terminal_width);

}  // namespace mapscope
