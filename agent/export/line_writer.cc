// SPDX-License-Identifier: Apache-2.0
#include "agent/export/line_writer.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/base/log.h"

namespace mapscope {
namespace {

// Passes when somebody makes room.
bool is_full(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

// A command that shares the descriptor may have made it non-blocking.
void await_room(int fd) {
  pollfd room{fd, POLLOUT, 0};
  ::poll(&room, 1, -1);
}

}  // namespace

LineWriter::LineWriter(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), most_at_once_(kFlushBytes) {
  struct stat facts {};
  if (::fstat(fd, &facts) == 0 && (S_ISFIFO(facts.st_mode) || S_ISSOCK(facts.st_mode)))
    most_at_once_ = PIPE_BUF;
}

void LineWriter::end_line() {
  buffer_ += '\n';
  if (buffer_.size() >= kFlushBytes) write_out();
}

Status LineWriter::flush() {
  write_out();
  if (errno_ != 0) return system_error("cannot write events to " + name_, errno_);
  return Done{};
}

size_t LineWriter::next_piece(size_t done) const {
  const size_t left = buffer_.size() - done;
  if (left <= most_at_once_) return left;
  const size_t last_end = buffer_.rfind('\n', done + most_at_once_ - 1);
  if (last_end != std::string::npos && last_end >= done) return last_end + 1 - done;
  return buffer_.find('\n', done) + 1 - done;
}

void LineWriter::write_out() {
  if (errno_ != 0 || buffer_.empty()) return buffer_.clear();
  // What stands of a line that was cut off is not to be taken for a part of this one.
  if (in_line_) buffer_.insert(buffer_.begin(), '\n');
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(fd_, buffer_.data() + done, next_piece(done));
    if (written >= 0) {
      done += static_cast<size_t>(written);
    } else if (errno == EAGAIN) {
      await_room(fd_);
    } else if (errno != EINTR) {
      lose(done, errno);
      return buffer_.clear();
    }
  }
  buffer_.clear();
  in_line_ = false;
  if (full_) report_recovery();
}

void LineWriter::lose(size_t written, int error) {
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

void LineWriter::report_recovery() {
  full_ = false;
  log_warn("{} takes events again; {} were lost so far", name_, lost());
}

}  // namespace mapscope
