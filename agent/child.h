// SPDX-License-Identifier: Apache-2.0
// agent/child.h – the command behind `--`, held at its first instruction until its probes are in
// place.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

namespace mapscope {

struct ChildOptions {
  std::vector<std::string> command;
  std::string user;     // "": as the agent itself
  bool follow = false;  // what it starts and leaves behind stays below the agent
};

class Child {
 public:
  // Labels of errors of start(), which have exit statuses of their own, as in a shell.
  static constexpr std::string_view kNotFound = "command_not_found";
  static constexpr std::string_view kNotExecutable = "command_not_executable";

  // Looks in PATH as a shell does. The child has the signal mask of the caller's parent, is stopped
  // after exec, and is killed with the agent until it is released. As another user it has that
  // user's groups, HOME, USER, LOGNAME and SHELL, and the agent's folder and other environment.
  // Errors: kUsage when the command cannot be executed or there is no such user.
  static Result<Child> start(const ChildOptions& options);

  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), held_(other.held_), ended_(std::move(other.ended_)) {}
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(held_, other.held_);
    std::swap(ended_, other.ended_);
    return *this;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool held() const { return held_; }
  // Readable once it has ended.
  [[nodiscard]] int ended_fd() const { return ended_.get(); }
  [[nodiscard]] bool has_ended() const;
  // From its tracer's thread, which is the one that started it.
  Status release();
  // Reaps what the command has left behind, and not the command.
  void reap_others() const;

  // Ends it if it still runs: by this signal, 0: it has it already; after two seconds by SIGKILL.
  // One that was never released has run no instruction of its own.
  void end(int signal) const;
  // Whether a signal of the terminal reaches it as it reaches the agent.
  [[nodiscard]] bool is_in_own_group() const;
  // As a shell says it: the exit status, or 128 + signal. REQUIRES: it has ended. Reaps it.
  int take_status();

 private:
  Child(pid_t pid, UniqueFd ended) : pid_(pid), ended_(std::move(ended)) {}
  pid_t pid_;  // -1: moved away, or reaped
  bool held_ = true;
  UniqueFd ended_;
};

}  // namespace mapscope
