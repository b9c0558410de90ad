// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/memory_map.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <utility>

namespace mapscope {
namespace {

// 65,530 mappings (the kernel's default limit) of 100 characters are 6.5 MB.
constexpr size_t kMaxTextBytes = 32U << 20;

// Takes one number and the separator after it off the front of the line.
bool take_number(std::string_view& line, int base, char separator, uint64_t& value) {
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value, base);
  const auto used = static_cast<size_t>(end - line.data());
  if (error != std::errc{} || used >= line.size() || line[used] != separator) return false;
  line.remove_prefix(used + 1);
  return true;
}

// start-end rwxp offset major:minor inode      path
std::optional<ExecutableMapping> parse_line(std::string_view line) {
  ExecutableMapping mapping;
  if (!take_number(line, 16, '-', mapping.start) || !take_number(line, 16, ' ', mapping.end))
    return {};
  if (line.size() < 5 || line[2] != 'x' || line[4] != ' ' || mapping.start >= mapping.end)
    return {};
  line.remove_prefix(5);
  uint64_t major_number = 0;
  uint64_t minor_number = 0;
  if (!take_number(line, 16, ' ', mapping.offset) || !take_number(line, 16, ':', major_number) ||
      !take_number(line, 16, ' ', minor_number)) {
    return {};
  }
  mapping.dev = makedev(static_cast<unsigned>(major_number), static_cast<unsigned>(minor_number));
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), mapping.inode);
  if (error != std::errc{}) return {};
  line.remove_prefix(static_cast<size_t>(end - line.data()));
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  constexpr std::string_view kDeleted = " (deleted)";
  if (line.ends_with(kDeleted)) line.remove_suffix(kDeleted.size());
  mapping.path = line;
  if (mapping.inode == 0 && mapping.path != kVdsoPath) return {};
  return mapping;
}

Result<std::string> read_maps(int pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/maps";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error(path, errno);
  std::string text;
  constexpr size_t kChunkBytes = 64U << 10;
  while (text.size() < kMaxTextBytes) {
    const size_t used = text.size();
    text.resize(used + kChunkBytes);
    const ssize_t got = ::read(fd.get(), text.data() + used, kChunkBytes);
    if (got < 0) return system_error(path, errno);
    text.resize(used + static_cast<size_t>(got));
    if (got == 0) break;
  }
  return text;
}

}  // namespace

std::vector<ExecutableMapping> parse_executable_mappings(std::string_view maps_text,
                                                         size_t max_mappings) {
  std::vector<ExecutableMapping> mappings;
  while (!maps_text.empty() && mappings.size() < max_mappings) {
    const size_t line_bytes = std::min(maps_text.find('\n'), maps_text.size());
    if (auto mapping = parse_line(maps_text.substr(0, line_bytes)))
      mappings.push_back(*std::move(mapping));
    maps_text.remove_prefix(std::min(line_bytes + 1, maps_text.size()));
  }
  return mappings;
}

Result<std::vector<ExecutableMapping>> read_executable_mappings(int pid, size_t max_mappings) {
  Result<std::string> text = read_maps(pid);
  if (!text) return std::move(text).error();
  return parse_executable_mappings(*text, max_mappings);
}

UniqueFd open_mapping(int pid, const ExecutableMapping& mapping) {
  std::array<char, 64> path{};
  (void)std::snprintf(path.data(), path.size(), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid,
                      mapping.start, mapping.end);
  UniqueFd fd(::open(path.data(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return fd;
}

}  // namespace mapscope
