// SPDX-License-Identifier: Apache-2.0
#include "agent/stop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "agent/export/wall_clock.h"

namespace mapscope {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kLateNs = 300 * kNsPerMs;
constexpr uint64_t kEscapeNs = 600 * kNsPerMs;

void raise_event(const UniqueFd& fd) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd.get(), &one, sizeof(one));
}

}  // namespace

Result<std::unique_ptr<Stop>> Stop::start() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::unique_ptr<Stop> stop(new Stop);
  stop->signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  stop->asked_fd_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  stop->wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop->signals_.valid() || !stop->asked_fd_.valid() || !stop->wake_.valid())
    return system_error("signalfd", errno);
  stop->thread_ = std::thread(&Stop::run, stop.get());
  return stop;
}

Stop::~Stop() {
  ending_ = true;
  raise_event(wake_);
  if (thread_.joinable()) thread_.join();
}

void Stop::set_deadline(uint64_t deadline_ns) {
  deadline_ns_ = deadline_ns;
  raise_event(wake_);
}

void Stop::set_escape(Escape escape) {
  const std::lock_guard lock(mutex_);
  escape_ = std::move(escape);
}

// Not before an escape that has begun is over, which is never.
void Stop::hold(bool held) {
  const std::lock_guard lock(mutex_);
  held_ = held;
  raise_event(wake_);
}

bool Stop::is_late() const { return asked() && monotonic_now_ns() - asked_ns_ > kLateNs; }

// -1: for as long as nothing happens.
int Stop::wait_ms() const {
  uint64_t until_ns = deadline_ns_;
  if (asked()) until_ns = held_ ? 0 : asked_ns_ + kEscapeNs;
  if (until_ns == 0) return -1;
  const uint64_t now_ns = monotonic_now_ns();
  if (until_ns <= now_ns) return 0;
  return static_cast<int>(std::min<uint64_t>((until_ns - now_ns) / kNsPerMs + 1, 3'600'000));
}

void Stop::ask(int signal, bool from_terminal) {
  signal_ = signal;
  from_terminal_ = from_terminal;
  asked_ns_ = monotonic_now_ns();
  raise_event(asked_fd_);
}

void Stop::take_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return;
  if (asked() && signal_ != 0) return escape(true);
  ask(static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL);
}

void Stop::escape(bool at_once) {
  // Whatever holds up what follows, another signal ends it.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM}) {
    sigaddset(&signals, number);
    ::signal(number, SIG_DFL);
  }
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const std::lock_guard lock(mutex_);
  if (escape_) escape_(reason(), at_once);
  ::_exit(signal_ == 0 ? 0 : 128 + signal_);
}

void Stop::run() {
  while (!ending_) {
    std::array<pollfd, 2> wanted{{{signals_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    ::poll(wanted.data(), wanted.size(), wait_ms());
    if (ending_) return;
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof(count));
    take_signal();
    if (!asked() && deadline_ns_ != 0 && monotonic_now_ns() >= deadline_ns_) ask(0, false);
    if (asked() && !held_ && monotonic_now_ns() - asked_ns_ >= kEscapeNs) escape(false);
  }
}

}  // namespace mapscope
