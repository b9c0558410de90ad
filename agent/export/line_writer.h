// SPDX-License-Identifier: Apache-2.0
// agent/export/line_writer.h – whole lines to a descriptor that others may write to as well.
//
// Lines are collected in one buffer, which is reused, and written when it holds kFlushBytes and
// when write_out() is called. Each write() is of whole lines: into a pipe or a socket of no more
// than PIPE_BUF bytes at a time, which the kernel does not mix with what others write; only a
// single line longer than that may be mixed, and only when the pipe is full. A reader that does not
// keep up holds up the caller. A disk that is full loses lines, which are counted, until it has
// room again. Threads: one; lost() from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace mapscope {

class LineWriter {
 public:
  // Does not own `fd`. `name` is the destination in error texts, e.g. "standard output".
  LineWriter(int fd, std::string name);

  // Where to append the next line. REQUIRES: end_line() before the next call of another member.
  [[nodiscard]] std::string& line() { return buffer_; }
  void end_line();
  void add(std::string_view line) {
    buffer_ += line;
    end_line();
  }

  void write_out();
  // Writes what is buffered. After an error (a reader that went away: EPIPE) the buffer is
  // dropped, nothing more is written, and every later flush() returns the same error.
  Status flush();
  // Lines that found no room.
  [[nodiscard]] uint64_t lost() const { return lost_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  static constexpr size_t kFlushBytes = 65536;
  // The bytes of the next write, of those from `done` on.
  [[nodiscard]] size_t next_piece(size_t done) const;
  void lose(size_t written, int error);
  void report_recovery();

  int fd_;
  std::string name_;
  size_t most_at_once_;
  std::string buffer_;
  int errno_ = 0;  // of the write that failed for good
  std::atomic<uint64_t> lost_{0};
  bool full_ = false;     // the last write found no room
  bool in_line_ = false;  // and what went before it ended inside a line
};

}  // namespace mapscope
