// SPDX-License-Identifier: Apache-2.0
// tests/support/stack_program.h – a running fixture of tests/fixtures/stacks, and the stack record
// it wrote.
#pragma once

#include <sys/types.h>

#include <string>

#include "agent/base/unique_fd.h"
#include "agent/discover/process.h"
#include "agent/model/resize.h"
#include "bpf/wire.h"

namespace mapscope::test {

class StackProgram {
 public:
  // Starts `path MODE`. Aborts when it cannot.
  StackProgram(const std::string& path, const std::string& mode);
  StackProgram(const StackProgram&) = delete;
  StackProgram& operator=(const StackProgram&) = delete;
  StackProgram(StackProgram&&) = delete;
  StackProgram& operator=(StackProgram&&) = delete;
  ~StackProgram() { stop(); }

  // Of mode late: waits until it is ready, and lets it load the library.
  void await_ready();
  void go_on();
  // Waits for it. Aborts when the program ends before.
  ms_stack_record read_record();
  // Lets it end and waits for that.
  void stop();

  // As the agent sees it now.
  [[nodiscard]] Process process() const;
  [[nodiscard]] static Target target_of(const Process& process);

 private:
  pid_t pid_ = -1;
  UniqueFd to_;
  UniqueFd from_;
};

// Number of the line of tests/fixtures/stacks/FILE that ends in "// LINE:name". Aborts without one.
uint32_t marked_line(const std::string& file, const std::string& name);

}  // namespace mapscope::test
