// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/proc_text.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace mapscope {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

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

}  // namespace

std::vector<MappedFile> parse_mapped_files(std::string_view maps, const std::string& exe) {
  std::vector<MappedFile> files;
  while (!maps.empty() && files.size() < kMaxMappedFiles) {
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

// The comm may hold anything, so fields are counted from the last ')'. What follows it is field 3.
std::optional<ProcessStat> parse_stat(std::string_view stat) {
  const size_t open = stat.find('(');
  const size_t close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return std::nullopt;
  std::string_view rest = stat.substr(close + 1);
  const std::string_view state = next_word(rest);
  const auto parent = parse_number<pid_t>(next_word(rest));
  for (int field = 5; field < 20; ++field) next_word(rest);
  const std::string_view threads = next_word(rest);
  next_word(rest);
  const auto start_ticks = parse_number<uint64_t>(next_word(rest));
  if (!start_ticks) return std::nullopt;
  // A zombie has ended, unless only its first thread has.
  return ProcessStat{std::string(stat.substr(open + 1, close - open - 1)), *start_ticks,
                     state == "Z" && threads == "1", parent.value_or(0)};
}

// It begins with the name, in which a line feed is escaped.
std::string_view process_of_status(std::string_view status) {
  constexpr std::string_view kTgid = "\nTgid:\t";
  const size_t at = status.find(kTgid);
  if (at == std::string_view::npos) return {};
  status.remove_prefix(at + kTgid.size());
  return status.substr(0, status.find('\n'));
}

std::optional<pid_t> parse_pid(std::string_view text) { return parse_number<pid_t>(text); }

std::vector<pid_t> parse_pids(std::string_view text) {
  std::vector<pid_t> pids;
  for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
    if (const auto pid = parse_pid(word)) pids.push_back(*pid);
  }
  return pids;
}

}  // namespace mapscope
