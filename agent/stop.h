// SPDX-License-Identifier: Apache-2.0
// agent/stop.h – when the agent is to end: SIGINT, SIGTERM or a deadline, obeyed within a second
// whatever the main thread is doing.
//
// A thread of its own waits for them. It tells the main thread, which ends in good order; one that
// is held up, by the symbols of a huge file or a reader that does not read, is not waited for: the
// thread then ends the process itself. A second signal ends it at once.
// Threads: asked(), is_late() and fd() from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

namespace mapscope {

class Stop {
 public:
  struct Reason {
    int signal = 0;              // 0: the deadline
    bool from_terminal = false;  // which sent it to the command, too
  };
  // Ends the process, in place of the main thread; `at_once` for a second signal. Does not return.
  using Escape = std::function<void(const Reason&, bool at_once)>;

  // Blocks both signals for this thread and those that it starts later.
  static Result<std::unique_ptr<Stop>> start();
  Stop(const Stop&) = delete;
  Stop& operator=(const Stop&) = delete;
  ~Stop();

  // CLOCK_MONOTONIC; 0: never.
  void set_deadline(uint64_t deadline_ns);
  // Until it is set, the process is ended without it.
  void set_escape(Escape escape);
  // While it is held, nothing but a second signal ends the process: the main thread takes the time
  // that it needs.
  void hold(bool held);

  // Readable once it is asked for.
  [[nodiscard]] int fd() const { return asked_fd_.get(); }
  [[nodiscard]] bool asked() const { return asked_ns_ != 0; }
  // Half of the time that the main thread has to end is over: what takes long is left out.
  [[nodiscard]] bool is_late() const;
  // REQUIRES: asked().
  [[nodiscard]] Reason reason() const { return {signal_, from_terminal_}; }

 private:
  Stop() = default;
  void run();
  [[nodiscard]] int wait_ms() const;
  void take_signal();
  void ask(int signal, bool from_terminal);
  void escape(bool at_once);

  UniqueFd signals_;
  UniqueFd asked_fd_;
  UniqueFd wake_;  // the thread has something else to wait for, or to end
  std::atomic<uint64_t> asked_ns_{0};
  std::atomic<uint64_t> deadline_ns_{0};
  std::atomic<int> signal_{0};
  std::atomic<bool> from_terminal_{false};
  std::atomic<bool> held_{false};
  std::atomic<bool> ending_{false};
  std::mutex mutex_;  // guards escape_
  Escape escape_;
  std::thread thread_;
};

}  // namespace mapscope
