// SPDX-License-Identifier: Apache-2.0
// agent/export/event_writer.h – event lines: one JSON object a line (agent/export/event_json.h).
//
// Written as agent/export/line_writer.h says: when flush() is called (the agent does after each
// batch of records), and at once for anything but a resize or doubling. Threads: one; lost() from
// any.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "agent/base/result.h"
#include "agent/export/line_writer.h"
#include "agent/export/summary.h"
#include "agent/export/wall_clock.h"
#include "agent/model/insert_report.h"
#include "agent/model/pause.h"
#include "agent/model/resize.h"

namespace mapscope {

// What is written to standard output.
enum class EventFormat { kText, kSummary, kJson, kNone };

class EventWriter {
 public:
  // Does not own `fd`. `name` is the destination in error texts, e.g. "standard output".
  EventWriter(int fd, std::string name) : lines_(fd, std::move(name)) {}

  void write(const Resize& resize);
  void write(const Fatal& fatal);
  void write(const Race& race);
  void write(const Doubling& doubling);
  void write(const Target& target);
  void write(const Pause& pause);
  void write(const InsertReport& report);
  void write(const Summary& summary);

  // Errors: see LineWriter::flush().
  Status flush() { return lines_.flush(); }
  // Lines that found no room.
  [[nodiscard]] uint64_t lost() const { return lines_.lost(); }
  [[nodiscard]] const std::string& name() const { return lines_.name(); }

 private:
  void end_now();

  LineWriter lines_;
  WallClock clock_;
};

}  // namespace mapscope
