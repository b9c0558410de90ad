// SPDX-License-Identifier: Apache-2.0
// tests/support/live_target.h – the load program, held before its first insert, with its truth.
#pragma once

#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/growth.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {

// The built one, or what MAPSCOPE_TARGET names.
std::string target_path();

// A program that prints `ready PID` and starts at a newline.
class WaitingProgram {
 public:
  // Returns when it is ready.
  explicit WaitingProgram(const std::vector<std::string>& command,
                          const SpawnOptions& options = {});

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] std::string pid_text() const { return std::to_string(pid()); }
  [[nodiscard]] ChildProcess& process() { return process_; }
  void begin() { process_.write_input("\n"); }

 private:
  ChildProcess process_;
};

class LiveTarget {
 public:
  // Runs `path --wait --truth FILE arguments…`; returns when it is ready.
  explicit LiveTarget(const std::vector<std::string>& arguments, const SpawnOptions& options = {},
                      const std::string& path = target_path());

  [[nodiscard]] pid_t pid() const { return program_.pid(); }
  [[nodiscard]] std::string pid_text() const { return program_.pid_text(); }
  [[nodiscard]] ChildProcess& process() { return program_.process(); }
  void begin() { program_.begin(); }
  // Lets it run to its end. REQUIRES: it ends by itself. The exit status.
  int run();
  // What was true, in order of begin. REQUIRES: it has ended.
  [[nodiscard]] Truth truth() const { return read_truth(directory_ / "truth"); }
  [[nodiscard]] std::string truth_path() const { return directory_ / "truth"; }
  // The number that `--json` prints under this name. REQUIRES: it has ended, and had that option.
  [[nodiscard]] uint64_t result(const std::string& name);

 private:
  TemporaryDirectory directory_;
  WaitingProgram program_;
};

}  // namespace mapscope::test
