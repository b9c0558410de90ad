// SPDX-License-Identifier: Apache-2.0
// agent/child.h – the command behind `--`, held at its first instruction until its probes are in
// place.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/base/result.h"

namespace mapscope {

class Child {
 public:
  // Looks in PATH as a shell does. The child has the signal mask of the caller's parent and is
  // stopped after exec. Errors: kUsage when the command cannot be executed.
  static Result<Child> start(const std::vector<std::string>& command);

  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), held_(other.held_) {}
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(held_, other.held_);
    return *this;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  // Ends it (SIGTERM, after two seconds SIGKILL) if it still runs, and reaps it. One that was never
  // released has run no instruction of its own.
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  Status release();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  bool held_ = true;
};

}  // namespace mapscope
