// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/process.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

namespace mapscope {
namespace {

constexpr size_t kMaxMapsBytes = 64U << 20U;
constexpr size_t kMaxStatBytes = 4096;
constexpr size_t kMaxCgroupBytes = 65536;
constexpr size_t kMaxChildrenBytes = 1U << 20U;
constexpr size_t kMaxFiles = 4096;
constexpr std::string_view kDeleted = " (deleted)";

std::string proc_path(pid_t pid, std::string_view leaf) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(leaf);
}

// Reads at most `limit` bytes; /proc files have no size to ask for.
Result<std::string> read_bounded(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error(path, errno);
  std::string text;
  std::array<char, 16384> buffer{};
  while (text.size() < limit) {
    const ssize_t got =
        ::read(fd.get(), buffer.data(), std::min(buffer.size(), limit - text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, errno);
    if (got == 0) break;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  return text;
}

template <typename Integer>
std::optional<Integer> parse_number(std::string_view text, int base = 10) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Cuts the next space-separated word off the front of `line`.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const size_t length = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, length);
  line.remove_prefix(length);
  return word;
}

// Field `number`, at least 3, of /proc/PID/stat. The comm is in parentheses and may hold anything,
// so fields are counted from the last ')'.
std::string_view stat_field(std::string_view stat, int number) {
  std::string_view rest = stat.substr(std::min(stat.rfind(')'), stat.size() - 1) + 1);
  for (int i = 3; i < number; ++i) next_word(rest);
  return next_word(rest);
}

Result<uint64_t> parse_start_ticks(std::string_view stat, const std::string& path) {
  const auto ticks = parse_number<uint64_t>(stat_field(stat, 22));
  if (!ticks) return Error{ErrorKind::kCorrupt, path + ": no start time in it"};
  return *ticks;
}

// Addresses in maps are padded to eight digits, those in map_files are not.
std::string without_zeros(std::string_view range) {
  const auto skip_zeros = [](std::string_view number) {
    return number.substr(std::min(number.find_first_not_of('0'), number.size() - 1));
  };
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == range.size()) return {};
  return std::string(skip_zeros(range.substr(0, dash))) + '-' +
         std::string(skip_zeros(range.substr(dash + 1)));
}

// One line of /proc/PID/maps: "from-to perms offset dev:dev inode   path".
std::optional<MappedFile> parse_maps_line(std::string_view line) {
  const std::string_view range = next_word(line);
  const std::string_view permissions = next_word(line);
  next_word(line);
  const std::string_view device = next_word(line);
  const auto inode = parse_number<uint64_t>(next_word(line));
  const size_t colon = device.find(':');
  if (permissions.find('x') == std::string_view::npos || !inode || *inode == 0 ||
      colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto major_number = parse_number<unsigned>(device.substr(0, colon), 16);
  const auto minor_number = parse_number<unsigned>(device.substr(colon + 1), 16);
  if (!major_number || !minor_number) return std::nullopt;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  MappedFile file;
  file.deleted = line.ends_with(kDeleted);
  if (file.deleted) line.remove_suffix(kDeleted.size());
  file.path = std::string(line);
  file.dev = makedev(*major_number, *minor_number);
  file.inode = *inode;
  file.range = without_zeros(range);
  return file;
}

std::vector<MappedFile> parse_maps(std::string_view maps, const std::string& exe) {
  std::vector<MappedFile> files;
  while (!maps.empty() && files.size() < kMaxFiles) {
    const size_t length = std::min(maps.find('\n'), maps.size());
    auto file = parse_maps_line(maps.substr(0, length));
    maps.remove_prefix(std::min(length + 1, maps.size()));
    if (!file) continue;
    const bool known = std::any_of(files.begin(), files.end(), [&](const MappedFile& other) {
      return other.dev == file->dev && other.inode == file->inode;
    });
    if (!known) files.push_back(std::move(*file));
  }
  std::stable_partition(files.begin(), files.end(),
                        [&](const MappedFile& file) { return file.path == exe; });
  return files;
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
      return {error.kind, who + ": may not be inspected by this user; run with sudo"};
    default:
      return {error.kind, who + ": " + error.text};
  }
}

// A thread's number has a folder in /proc too, but is no process. `status` begins with the name, in
// which a line feed is escaped.
Status require_process(pid_t pid) {
  auto status = read_bounded(proc_path(pid, "status"), kMaxStatBytes);
  if (!status) return explain(pid, status.error());
  constexpr std::string_view kTgid = "\nTgid:\t";
  const size_t at = std::min(status->find(kTgid), status->size() - kTgid.size()) + kTgid.size();
  const std::string process = status->substr(at, status->find('\n', at) - at);
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
  if (!path.valid() || !is_file(path.get(), inode)) return {};
  const std::string link = "/proc/self/fd/" + std::to_string(path.get());
  return UniqueFd(::open(link.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

// Asked of the kernel itself: that /proc has no such folder may be the fault of /proc.
bool is_no_process(pid_t pid) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return !process.valid() && errno == ESRCH;
}

UniqueFd open_in_root(pid_t pid, const std::string& path) {
  const UniqueFd root(::open(proc_path(pid, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return {};
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(
      static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
}

}  // namespace

Result<Process> read_process(pid_t pid) {
  Process process;
  process.pid = pid;
  const std::string stat_path = proc_path(pid, "stat");
  auto stat = read_bounded(stat_path, kMaxStatBytes);
  if (!stat) return explain(pid, stat.error());
  auto ticks = parse_start_ticks(*stat, stat_path);
  if (!ticks) return explain(pid, ticks.error());
  process.start_ticks = *ticks;
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
  process.files = parse_maps(*maps, process.exe);
  return process;
}

std::optional<ProcessGlimpse> glimpse_process(pid_t pid) {
  const std::string path = proc_path(pid, "stat");
  const auto stat = read_bounded(path, kMaxStatBytes);
  if (!stat) return std::nullopt;
  const auto ticks = parse_start_ticks(*stat, path);
  auto exe = read_exe(pid);
  struct stat file {};
  if (!ticks || !exe || ::stat(proc_path(pid, "exe").c_str(), &file) != 0) return std::nullopt;
  // The comm is what stands between the first and the last parenthesis.
  const size_t open = stat->find('(');
  const size_t close = stat->rfind(')');
  if (open == std::string::npos || close < open) return std::nullopt;
  return ProcessGlimpse{*ticks, stat->substr(open + 1, close - open - 1), std::move(*exe),
                        file.st_dev, file.st_ino};
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
    if (const auto pid = parse_number<pid_t>(entry->path().filename().native()))
      pids.push_back(*pid);
  }
  if (failed) return system_error("/proc", failed.value());
  return pids;
}

std::vector<pid_t> list_children(pid_t pid) {
  std::vector<pid_t> pids;
  const auto text =
      read_bounded(proc_path(pid, "task/" + std::to_string(pid) + "/children"), kMaxChildrenBytes);
  if (!text) return pids;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view word = next_word(rest);
    if (word.empty()) break;
    if (const auto child = parse_number<pid_t>(word)) pids.push_back(*child);
  }
  return pids;
}

bool is_running(pid_t pid, uint64_t start_ticks) {
  const std::string path = proc_path(pid, "stat");
  const auto stat = read_bounded(path, kMaxStatBytes);
  if (!stat) return !is_no_process(pid);
  const auto ticks = parse_start_ticks(*stat, path);
  // A zombie has ended, unless only its first thread has.
  const bool ended = stat_field(*stat, 3) == "Z" && stat_field(*stat, 20) == "1";
  return ticks && *ticks == start_ticks && !ended;
}

Result<UniqueFd> open_mapped_file(const Process& process, const MappedFile& file) {
  if (!file.deleted) {
    UniqueFd fd = open_if_file(open_in_root(process.pid, file.path), file.inode);
    if (fd.valid()) return fd;
  }
  std::vector<std::string> links = {proc_path(process.pid, "map_files/" + file.range)};
  if (file.path == process.exe) links.push_back(proc_path(process.pid, "exe"));
  for (const std::string& link : links) {
    UniqueFd fd = open_if_file(UniqueFd(::open(link.c_str(), O_PATH | O_CLOEXEC)), file.inode);
    if (fd.valid()) return fd;
  }
  return Error{ErrorKind::kNotFound, file.path + ": the file that pid " +
                                         std::to_string(process.pid) +
                                         " has mapped can no longer be opened"};
}

}  // namespace mapscope
