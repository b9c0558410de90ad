// SPDX-License-Identifier: Apache-2.0
#include "tests/support/stack_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "tests/paths.h"

namespace mapscope::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  std::perror(what.c_str());
  std::abort();
}

std::array<UniqueFd, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void read_exactly(const UniqueFd& fd, void* to, size_t bytes) {
  auto* next = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::read(fd.get(), next, bytes);
    if (got <= 0) fail("the fixture ended before it wrote its record");
    next += got;
    bytes -= static_cast<size_t>(got);
  }
}

}  // namespace

StackProgram::StackProgram(const std::string& path, const std::string& mode) {
  auto [child_in, to] = make_pipe();
  auto [from, child_out] = make_pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO);
  std::string program = path;
  std::string argument = mode;
  std::array<char*, 3> arguments = {program.data(), argument.data(), nullptr};
  const int error =
      ::posix_spawn(&pid_, path.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) fail(path);
  to_ = std::move(to);
  from_ = std::move(from);
}

void StackProgram::await_ready() {
  char byte = 0;
  read_exactly(from_, &byte, 1);
}

void StackProgram::go_on() {
  if (::write(to_.get(), "g", 1) != 1) fail("write");
}

ms_stack_record StackProgram::read_record() {
  ms_stack_record record{};
  read_exactly(from_, &record, sizeof(record));
  return record;
}

void StackProgram::stop() {
  if (pid_ < 0) return;
  to_.reset();
  if (::waitpid(pid_, nullptr, 0) != pid_) fail("waitpid");
  pid_ = -1;
}

Process StackProgram::process() const {
  Result<Process> process = read_process(pid_);
  if (!process) fail(process.error().text);
  return std::move(*process);
}

Target StackProgram::target_of(const Process& process) {
  static uint32_t last_id = 0;
  Target target;
  target.id = ++last_id;
  target.pid = process.pid;
  target.start_ticks = process.start_ticks;
  return target;
}

uint32_t marked_line(const std::string& file, const std::string& name) {
  std::ifstream source(std::string(MAPSCOPE_STACKS_SOURCES) + "/" + file);
  uint32_t number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (line.find("// LINE:" + name) != std::string::npos) return number;
  }
  std::fprintf(stderr, "no LINE:%s in %s\n", name.c_str(), file.c_str());
  std::abort();
}

}  // namespace mapscope::test
