// SPDX-License-Identifier: Apache-2.0
#include "agent/export/event_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/base/log.h"
#include "agent/export/event_json.h"

namespace mapscope {
namespace {

// Passes when somebody makes room.
bool is_full(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

}  // namespace

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
  if (errno_ != 0 || buffer_.empty()) return buffer_.clear();
  // What stands of a line that was cut off is not to be taken for a part of this one.
  if (in_line_) buffer_.insert(buffer_.begin(), '\n');
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (written >= 0) {
      done += static_cast<size_t>(written);
    } else if (errno != EINTR) {
      lose(done, errno);
      return buffer_.clear();
    }
  }
  buffer_.clear();
  in_line_ = false;
  if (full_) tell_recovered();
}

void EventWriter::lose(size_t written, int error) {
  if (!is_full(error)) {
    errno_ = error;
    return;
  }
  const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(written);
  // A line feed that was to end a cut line ends no line that is lost here.
  const bool only_feed_left = in_line_ && written == 0;
  lost_ += static_cast<uint64_t>(std::count(begin, buffer_.end(), '\n')) - (only_feed_left ? 1 : 0);
  if (written > 0) in_line_ = buffer_[written - 1] != '\n';
  if (!full_)
    log_warn("{}; events are lost and counted until there is room",
             system_error("cannot write events to " + name_, error).text);
  full_ = true;
}

void EventWriter::tell_recovered() {
  full_ = false;
  log_warn("{} takes events again; {} were lost so far", name_, lost());
}

}  // namespace mapscope
