// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "agent/discover/process_files.h"

namespace mapscope {
namespace {

constexpr size_t kMaxMapsBytes = 64U << 20U;
constexpr size_t kMaxStatBytes = 4096;
constexpr size_t kMaxCgroupBytes = 65536;
constexpr size_t kMaxChildrenBytes = 1U << 20U;
constexpr std::string_view kDeleted = " (deleted)";

std::string proc_path(pid_t pid, std::string_view leaf) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(leaf);
}

Result<std::string> read_exe(pid_t pid) {
  std::array<char, 4096> buffer{};
  const std::string path = proc_path(pid, "exe");
  const ssize_t length = ::readlink(path.c_str(), buffer.data(), buffer.size());
  if (length < 0) return system_error(path, errno);
  std::string exe(buffer.data(), static_cast<size_t>(length));
  if (exe.ends_with(kDeleted)) exe.resize(exe.size() - kDeleted.size());
  return exe;
}

Error explain(pid_t pid, const Error& error) {
  const std::string who = "pid " + std::to_string(pid);
  switch (error.kind) {
    case ErrorKind::kNotFound:
      return {error.kind, who + ": no such process"};
    case ErrorKind::kPermission:
      // sudo helps nobody who is root already.
      if (::geteuid() == 0) {
        return {error.kind, who +
                                ": may not be inspected, not even by root: CAP_SYS_PTRACE is "
                                "missing, or a policy of this machine protects it"};
      }
      return {error.kind, who + ": may not be inspected by this user; run with sudo"};
    default:
      return {error.kind, who + ": " + error.text};
  }
}

// A thread's number has a folder in /proc too, but is no process.
Status require_process(pid_t pid) {
  auto status = read_bounded(proc_path(pid, "status"), kMaxStatBytes);
  if (!status) return explain(pid, status.error());
  const std::string process(process_of_status(*status));
  if (process == std::to_string(pid)) return Done{};
  return Error{ErrorKind::kNotFound,
               "pid " + std::to_string(pid) + ": is a thread of process " + process};
}

// Maps shows the device of the file system below, stat that of the mount: btrfs and overlayfs
// differ there, so only the inode number must agree.
bool is_file(int fd, uint64_t inode) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_ino == inode;
}

// Opens for reading what `path` stands for, if it is that file: a pipe must not hold the agent up,
// and merely opening a device may do something.
UniqueFd open_if_file(UniqueFd path, uint64_t inode) {
  if (!path.valid()) return {};
  if (!is_file(path.get(), inode)) {
    errno = ESTALE;
    return {};
  }
  const std::string link = "/proc/self/fd/" + std::to_string(path.get());
  return UniqueFd(::open(link.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

// Says nothing of the file: later there may be enough again.
bool is_shortage(int errno_value) {
  return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOMEM;
}

// Asked of the kernel itself: that /proc has no such folder may be the fault of /proc.
bool is_no_process(pid_t pid) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return !process.valid() && errno == ESRCH;
}

UniqueFd open_in_root(pid_t pid, const std::string& path) {
  const UniqueFd root(::open(proc_path(pid, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return root.valid() ? open_path_in(root, path) : UniqueFd();
}

}  // namespace

Result<Process> read_process(pid_t pid) {
  Process process;
  process.pid = pid;
  const std::string stat_path = proc_path(pid, "stat");
  auto stat = read_bounded(stat_path, kMaxStatBytes);
  if (!stat) return explain(pid, stat.error());
  const auto parsed = parse_stat(*stat);
  if (!parsed) return explain(pid, {ErrorKind::kCorrupt, stat_path + ": no start time in it"});
  process.start_ticks = parsed->start_ticks;
  if (auto whole = require_process(pid); !whole) return std::move(whole).error();
  auto comm = read_bounded(proc_path(pid, "comm"), kMaxStatBytes);
  if (!comm) return explain(pid, comm.error());
  process.comm = std::move(*comm);
  if (process.comm.ends_with('\n')) process.comm.pop_back();
  if (auto cgroups = read_bounded(proc_path(pid, "cgroup"), kMaxCgroupBytes))
    process.container = parse_cgroups(*cgroups);
  auto exe = read_exe(pid);
  if (!exe && exe.error().kind == ErrorKind::kNotFound)
    return Error{ErrorKind::kNotFound,
                 "pid " + std::to_string(pid) + ": has no program: a kernel thread, or ended"};
  if (!exe) return explain(pid, exe.error());
  process.exe = std::move(*exe);
  auto maps = read_bounded(proc_path(pid, "maps"), kMaxMapsBytes);
  if (!maps) return explain(pid, maps.error());
  process.files = parse_mapped_files(*maps, process.exe);
  return process;
}

std::optional<ProcessGlimpse> glimpse_process(pid_t pid) {
  const auto text = read_bounded(proc_path(pid, "stat"), kMaxStatBytes);
  if (!text) return std::nullopt;
  auto stat = parse_stat(*text);
  auto exe = read_exe(pid);
  struct stat file {};
  if (!stat || !exe || ::stat(proc_path(pid, "exe").c_str(), &file) != 0) return std::nullopt;
  return ProcessGlimpse{stat->start_ticks, std::move(stat->comm), std::move(*exe), file.st_dev,
                        file.st_ino};
}

Status check_proc() {
  const UniqueFd own(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  if (!own.valid()) return system_error("/proc cannot be read", errno);
  return Done{};
}

Result<std::vector<pid_t>> list_processes() {
  if (auto readable = check_proc(); !readable) return std::move(readable).error();
  std::vector<pid_t> pids;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry("/proc", failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (const auto pid = parse_pid(entry->path().filename().native())) pids.push_back(*pid);
  }
  if (failed) return system_error("/proc", failed.value());
  return pids;
}

std::vector<pid_t> list_children(pid_t pid) {
  const auto text =
      read_bounded(proc_path(pid, "task/" + std::to_string(pid) + "/children"), kMaxChildrenBytes);
  return text ? parse_pids(*text) : std::vector<pid_t>();
}

bool is_descendant(pid_t pid, pid_t ancestor) {
  constexpr int kMaxSteps = 64;  // parents may change while they are read
  for (int step = 0; step < kMaxSteps && pid > 1; ++step) {
    const auto text = read_bounded(proc_path(pid, "stat"), kMaxStatBytes);
    const auto stat = text ? parse_stat(*text) : std::nullopt;
    if (!stat) return false;
    pid = stat->parent;
    if (pid == ancestor) return true;
  }
  return false;
}

bool is_running(pid_t pid, uint64_t start_ticks) {
  const auto text = read_bounded(proc_path(pid, "stat"), kMaxStatBytes);
  if (!text) return !is_no_process(pid);
  const auto stat = parse_stat(*text);
  return stat && stat->start_ticks == start_ticks && !stat->has_ended;
}

Result<UniqueFd> open_mapped_file(const Process& process, const MappedFile& file) {
  int shortage = 0;
  const auto open_if_it = [&](UniqueFd path) {
    UniqueFd fd = open_if_file(std::move(path), file.inode);
    if (!fd.valid() && is_shortage(errno)) shortage = errno;
    return fd;
  };
  if (!file.deleted) {
    UniqueFd fd = open_if_it(open_in_root(process.pid, file.path));
    if (fd.valid()) return fd;
  }
  std::vector<std::string> links = {proc_path(process.pid, "map_files/" + file.range)};
  if (file.path == process.exe) links.push_back(proc_path(process.pid, "exe"));
  for (const std::string& link : links) {
    UniqueFd fd = open_if_it(UniqueFd(::open(link.c_str(), O_PATH | O_CLOEXEC)));
    if (fd.valid()) return fd;
  }
  if (shortage != 0) return system_error(file.path, shortage);
  return Error{ErrorKind::kNotFound, file.path + ": the file that pid " +
                                         std::to_string(process.pid) +
                                         " has mapped can no longer be opened"};
}

}  // namespace mapscope
