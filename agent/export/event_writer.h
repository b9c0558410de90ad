// SPDX-License-Identifier: Apache-2.0
// agent/export/event_writer.h – event lines: one JSON object a line (agent/export/event_json.h).
//
// Lines are collected in one buffer, which is reused, and written when it holds kFlushBytes, when
// flush() is called (the agent does after each batch of records) and at once for anything but a
// resize or doubling. A reader that does not keep up holds up the caller; what the rings then lose
// is counted. A disk that is full loses lines, which are counted, until it has room again: metrics
// go on. Threads: one; lost() from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "agent/base/result.h"
#include "agent/export/summary.h"
#include "agent/export/wall_clock.h"
#include "agent/model/resize.h"

namespace mapscope {

enum class EventFormat { kText, kJson, kNone };

class EventWriter {
 public:
  // Does not own `fd`. `name` is the destination in error texts, e.g. "standard output".
  EventWriter(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  void write(const Resize& resize);
  void write(const Fatal& fatal);
  void write(const Race& race);
  void write(const Doubling& doubling);
  void write(const Target& target);
  void write(const Summary& summary);

  // Writes what is buffered. After an error (a reader that went away: EPIPE) the buffer is
  // dropped, nothing more is written, and every later flush() returns the same error.
  Status flush();
  // Lines that found no room.
  [[nodiscard]] uint64_t lost() const { return lost_; }

 private:
  static constexpr size_t kFlushBytes = 65536;
  void end_line();
  void write_out();
  void lose(size_t written, int error);
  void tell_recovered();

  int fd_;
  std::string name_;
  std::string buffer_;
  WallClock clock_;
  int errno_ = 0;  // of the write that failed for good
  std::atomic<uint64_t> lost_{0};
  bool full_ = false;     // the last write found no room
  bool in_line_ = false;  // and what went before it ended inside a line
};

}  // namespace mapscope
