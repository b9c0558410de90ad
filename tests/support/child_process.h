// SPDX-License-Identifier: Apache-2.0
// tests/support/child_process.h – a program that a test started: its input, what it wrote, how it
// ended.
//
// Output goes to files without a name: it is never held up by a test that does not read, and all of
// it is there after a kill. Nothing outlives the test: the destructor kills and reaps, and the
// kernel kills it when the test program dies. Failures of the harness throw std::runtime_error,
// which GoogleTest reports as a failure of the test. Threads: one.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/unique_fd.h"

namespace mapscope::test {

struct SpawnOptions {
  std::optional<int> cpu = {};     // runs only on this one
  std::optional<uid_t> user = {};  // and its group of the same number
  bool urgent = false;             // before all that has no real-time priority; needs privilege
  bool small_pages = false;  // no transparent huge pages: a fault for each page that is touched
  pid_t pid = 0;             // 0: any; needs privilege, and that no process has it
  std::function<void()> before_exec = {};  // run in the new process, as this program
};

// What a process wrote into one of its streams so far.
class Output {
 public:
  Output();
  [[nodiscard]] int fd() const { return file_.get(); }
  [[nodiscard]] std::string text() const;
  // Complete lines that no earlier call returned, without the line feed.
  std::vector<std::string> take_lines();

 private:
  [[nodiscard]] std::string read_from(off_t offset) const;

  UniqueFd file_;
  off_t taken_ = 0;
};

class ChildProcess {
 public:
  // command[0] is looked for in PATH.
  explicit ChildProcess(const std::vector<std::string>& command, const SpawnOptions& options = {});
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] Output& out() { return out_; }
  [[nodiscard]] Output& err() { return err_; }
  void write_input(const std::string& text);
  void close_input() { input_.reset(); }
  void signal(int number) const;

  // True while it runs; never blocks.
  [[nodiscard]] bool running();
  // Waits for the end. The exit status, or 128 + signal. Throws when the backstop is reached.
  int wait();

 private:
  std::string name_;
  pid_t pid_ = -1;
  std::optional<int> status_;  // once reaped
  UniqueFd input_;
  Output out_;
  Output err_;
};

}  // namespace mapscope::test
