// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child_process.h"

#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

constexpr int kNotStarted = 127;
constexpr int kMostUrgent = -20;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

bool stay_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  return ::sched_setaffinity(0, sizeof(set), &set) == 0;
}

bool become_user(uid_t user) {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(user, user, user) == 0 &&
         ::setresuid(user, user, user) == 0;
}

// What a background job of a shell ignores would stay ignored in whatever it starts.
void heed_signals() {
  for (const int number : {SIGHUP, SIGINT, SIGQUIT}) ::signal(number, SIG_DFL);
}

// In the child. The death signal comes last: a change of user clears it.
bool prepare(const SpawnOptions& options, int in, int out, int err) {
  return (!options.cpu || stay_on(*options.cpu)) && ::dup2(in, STDIN_FILENO) >= 0 &&
         ::dup2(out, STDOUT_FILENO) >= 0 && ::dup2(err, STDERR_FILENO) >= 0 &&
         (!options.urgent || ::setpriority(PRIO_PROCESS, 0, kMostUrgent) == 0) &&
         (!options.small_pages || ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0) &&
         (!options.user || become_user(*options.user)) && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

pid_t fork_as(pid_t pid) {
  if (pid == 0) return ::fork();
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<uint64_t>(&pid);
  arguments.set_tid_size = 1;
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Output::Output() : file_(::memfd_create("output", MFD_CLOEXEC)) {
  if (!file_.valid()) fail("memfd_create");
}

std::string Output::read_from(off_t offset) const {
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::pread(file_.get(), buffer.data(), buffer.size(),
                                offset + static_cast<off_t>(text.size()));
    if (got < 0) fail("pread");
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
}

std::string Output::text() const { return read_from(0); }

std::vector<std::string> Output::take_lines() {
  const std::string text = read_from(taken_);
  std::vector<std::string> lines;
  size_t from = 0;
  for (size_t end = 0; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
    lines.push_back(text.substr(from, end - from));
  }
  taken_ += static_cast<off_t>(from);
  return lines;
}

ChildProcess::ChildProcess(const std::vector<std::string>& command, const SpawnOptions& options)
    : name_(command.at(0)) {
  std::array<int, 2> ends{};
  // Not a pipe: writing to one whose reader is gone would end the test program.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  const UniqueFd read_end(ends[0]);
  input_ = UniqueFd(ends[1]);
  const std::vector<char*> arguments = pointers_to(command);
  pid_ = fork_as(options.pid);
  if (pid_ < 0) fail("cannot start " + name_);
  if (pid_ != 0) return;
  heed_signals();
  if (prepare(options, read_end.get(), out_.fd(), err_.fd())) {
    if (options.before_exec) options.before_exec();
    ::execvp(arguments[0], arguments.data());
  }
  ::dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], std::strerror(errno));
  ::_exit(kNotStarted);
}

ChildProcess::~ChildProcess() {
  if (status_) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::write_input(const std::string& text) {
  const ssize_t sent = ::send(input_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(text.size())) fail("input of " + name_);
}

void ChildProcess::signal(int number) const {
  if (status_ || ::kill(pid_, number) != 0) fail("signal to " + name_);
}

bool ChildProcess::running() {
  if (status_) return false;
  int status = 0;
  const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
  if (reaped < 0) fail("waitpid " + name_);
  if (reaped == pid_) status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return !status_;
}

int ChildProcess::wait() {
  if (!poll_until([this] { return !running(); })) {
    throw std::runtime_error(name_ + " did not end; it said: " + err_.text());
  }
  return *status_;
}

}  // namespace mapscope::test
