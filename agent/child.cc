// SPDX-License-Identifier: Apache-2.0
#include "agent/child.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "agent/base/unique_fd.h"

namespace mapscope {
namespace {

constexpr int kGraceMs = 2000;

// Who the child is to be, looked up before the fork: afterwards only plain system calls are safe.
struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::vector<std::string> environment;
};

bool is_own(const std::string& entry, std::string_view name) {
  return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
}

std::vector<std::string> environment_of(const passwd& entry) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const bool replaced = is_own(text, "HOME") || is_own(text, "USER") || is_own(text, "LOGNAME") ||
                          is_own(text, "SHELL") || is_own(text, "MAIL");
    if (!replaced) environment.push_back(text);
  }
  environment.push_back(std::string("HOME=") + entry.pw_dir);
  environment.push_back(std::string("USER=") + entry.pw_name);
  environment.push_back(std::string("LOGNAME=") + entry.pw_name);
  environment.push_back(std::string("SHELL=") + entry.pw_shell);
  return environment;
}

Result<User> find_user(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
  if (entry == nullptr)
    return Error{ErrorKind::kUsage, "--user " + name + ": there is no such user"};
  User user{entry->pw_uid, entry->pw_gid, {}, environment_of(*entry)};
  int count = 0;
  ::getgrouplist(name.c_str(), user.gid, nullptr, &count);
  user.groups.resize(static_cast<size_t>(count));
  ::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count);
  return user;
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What went wrong between fork and exec, which closes the pipe that it comes through.
struct Failure {
  int error = 0;
  bool of_user = false;
};

bool change_user(const User& user) {
  // The kernel takes them away only from who was root.
  return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
         ::setgroups(user.groups.size(), user.groups.data()) == 0 && ::setgid(user.gid) == 0 &&
         ::setuid(user.uid) == 0;
}

// Runs in the child: only async-signal-safe calls.
[[noreturn]] void become(char* const* arguments, const User* user, char** environment,
                         int report_fd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  Failure failure;
  failure.of_user = user != nullptr && !change_user(*user);
  if (!failure.of_user) {
    if (user != nullptr) environ = environment;
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) ::execvp(arguments[0], arguments);
  }
  failure.error = errno;
  [[maybe_unused]] const ssize_t written = ::write(report_fd, &failure, sizeof(failure));
  ::_exit(127);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

Error describe(const Failure& failure, const ChildOptions& options) {
  if (failure.of_user)
    return system_error("cannot become user '" + options.user + "'", failure.error);
  return {ErrorKind::kUsage,
          "cannot run '" + options.command.front() + "': " + std::strerror(failure.error),
          failure.error == ENOENT ? Child::kNotFound : Child::kNotExecutable};
}

}  // namespace

Result<Child> Child::start(const ChildOptions& options) {
  std::optional<User> user;
  if (!options.user.empty()) {
    auto found = find_user(options.user);
    if (!found) return std::move(found).error();
    user = std::move(*found);
  }
  const std::vector<char*> arguments = pointers_to(options.command);
  std::vector<char*> environment =
      user ? pointers_to(user->environment) : std::vector<char*>{nullptr};
  if (options.follow) ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("pipe", errno);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork", errno);
  if (pid == 0)
    become(arguments.data(), user ? &*user : nullptr, environment.data(), write_end.get());
  write_end.reset();
  Failure failure;
  const bool has_failed = ::read(read_end.get(), &failure, sizeof(failure)) == sizeof(failure);
  const int status = wait_for(pid);
  if (has_failed) return describe(failure, options);
  if (!WIFSTOPPED(status))
    return Error{ErrorKind::kSystem, "'" + options.command.front() + "' ended before it began"};
  ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_EXITKILL);
  Child child(pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))));
  if (!child.ended_.valid()) return system_error("pid " + std::to_string(pid), errno);
  return child;
}

Status Child::release() {
  if (::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr) != 0)
    return system_error("pid " + std::to_string(pid_), errno);
  held_ = false;
  return Done{};
}

bool Child::has_ended() const {
  pollfd ended{ended_.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) > 0;
}

void Child::reap_others() const {
  siginfo_t found{};
  while (::waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) == 0 && found.si_pid != 0 &&
         found.si_pid != pid_) {
    wait_for(found.si_pid);
    found = {};
  }
}

bool Child::is_in_own_group() const { return ::getpgid(pid_) == ::getpgid(0); }

void Child::end(int signal) const {
  if (pid_ <= 0) return;
  const int first = held_ ? SIGKILL : signal;
  if (first != 0) ::kill(pid_, first);
  pollfd ended{ended_.get(), POLLIN, 0};
  if (::poll(&ended, 1, kGraceMs) <= 0) ::kill(pid_, SIGKILL);
}

int Child::take_status() {
  const int status = wait_for(std::exchange(pid_, -1));
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Child::~Child() {
  if (pid_ <= 0) return;
  end(SIGTERM);
  take_status();
}

}  // namespace mapscope
