// SPDX-License-Identifier: Apache-2.0
#include "agent/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "agent/base/unique_fd.h"

namespace mapscope {
namespace {

constexpr int kGraceMs = 2000;

// Runs in the child: only async-signal-safe calls. errno goes through the pipe, which exec closes.
[[noreturn]] void become(char* const* arguments, int report_fd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) ::execvp(arguments[0], arguments);
  const int failed = errno;
  [[maybe_unused]] const ssize_t written = ::write(report_fd, &failed, sizeof(failed));
  ::_exit(127);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Result<Child> Child::start(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("pipe", errno);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork", errno);
  if (pid == 0) become(arguments.data(), write_end.get());
  write_end.reset();
  int failed = 0;
  const bool has_failed = ::read(read_end.get(), &failed, sizeof(failed)) == sizeof(failed);
  const int status = wait_for(pid);
  if (has_failed)
    return Error{ErrorKind::kUsage,
                 "cannot run '" + command.front() + "': " + std::strerror(failed)};
  if (!WIFSTOPPED(status))
    return Error{ErrorKind::kSystem, "'" + command.front() + "' ended before it began"};
  return Child(pid);
}

Status Child::release() {
  if (::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr) != 0)
    return system_error("pid " + std::to_string(pid_), errno);
  held_ = false;
  return Done{};
}

Child::~Child() {
  if (pid_ <= 0) return;
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  ::kill(pid_, held_ ? SIGKILL : SIGTERM);
  pollfd gone{handle.get(), POLLIN, 0};
  if (::poll(&gone, 1, kGraceMs) <= 0) ::kill(pid_, SIGKILL);
  wait_for(pid_);
}

}  // namespace mapscope
