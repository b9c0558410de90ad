// SPDX-License-Identifier: Apache-2.0
#include "agent/export/event_writer.h"

#include "agent/export/event_json.h"

namespace mapscope {

void EventWriter::write(const Resize& resize) {
  append_resize_json(lines_.line(), resize, clock_.rfc3339(resize.begin_ns));
  lines_.end_line();
}

void EventWriter::write(const Fatal& fatal) {
  append_fatal_json(lines_.line(), fatal, clock_.rfc3339(fatal.time_ns));
  end_now();
}

void EventWriter::write(const Race& race) {
  append_race_json(lines_.line(), race, clock_.rfc3339(race.second.begin_ns));
  end_now();
}

void EventWriter::write(const Doubling& doubling) {
  append_doubling_json(lines_.line(), doubling, clock_.rfc3339(doubling.end_ns));
  lines_.end_line();
}

void EventWriter::write(const Target& target) {
  append_target_json(lines_.line(), target, clock_.rfc3339(monotonic_now_ns()));
  end_now();
}

void EventWriter::write(const Pause& pause) {
  append_pause_json(lines_.line(), pause, clock_.rfc3339(pause.time_ns));
  end_now();
}

void EventWriter::write(const InsertReport& report) {
  append_inserts_json(lines_.line(), report, clock_.rfc3339(report.time_ns));
  end_now();
}

void EventWriter::write(const Summary& summary) {
  append_summary_json(lines_.line(), summary, clock_.rfc3339(monotonic_now_ns()));
  end_now();
}

void EventWriter::end_now() {
  lines_.end_line();
  lines_.write_out();
}

}  // namespace mapscope
