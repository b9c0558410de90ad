// SPDX-License-Identifier: Apache-2.0
#include "agent/export/event_writer.h"

#include <unistd.h>

#include <cerrno>

#include "agent/export/event_json.h"

namespace mapscope {

void EventWriter::write(const Resize& resize) {
  append_resize_json(buffer_, resize, clock_.rfc3339(resize.begin_ns));
  end_line();
}

void EventWriter::write(const Fatal& fatal) {
  append_fatal_json(buffer_, fatal, clock_.rfc3339(fatal.time_ns));
  end_line();
  write_out();
}

void EventWriter::write(const Race& race) {
  append_race_json(buffer_, race, clock_.rfc3339(race.second.begin_ns));
  end_line();
  write_out();
}

void EventWriter::write(const Doubling& doubling) {
  append_doubling_json(buffer_, doubling, clock_.rfc3339(doubling.end_ns));
  end_line();
}

void EventWriter::write(const Target& target) {
  append_target_json(buffer_, target, clock_.rfc3339(monotonic_now_ns()));
  end_line();
  write_out();
}

void EventWriter::write(const Summary& summary) {
  append_summary_json(buffer_, summary, clock_.rfc3339(monotonic_now_ns()));
  end_line();
  write_out();
}

Status EventWriter::flush() {
  write_out();
  if (errno_ != 0) return system_error("cannot write events to " + name_, errno_);
  return Done{};
}

void EventWriter::end_line() {
  buffer_ += '\n';
  if (buffer_.size() >= kFlushBytes) write_out();
}

void EventWriter::write_out() {
  for (size_t done = 0; done < buffer_.size() && errno_ == 0;) {
    const ssize_t written = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (written >= 0) {
      done += static_cast<size_t>(written);
    } else if (errno != EINTR) {
      errno_ = errno;
    }
  }
  buffer_.clear();
}

}  // namespace mapscope
