// SPDX-License-Identifier: Apache-2.0
// agent/discover/proc_text.h – what the texts of /proc/PID say, whatever is in them.
//
// The process chooses its name and the names of its files, and so some of every text. Threads:
// pure.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

// A file that the process maps executable. (dev, inode) is what the kernel reports in
// /proc/PID/maps.
struct MappedFile {
  std::string path;  // as the process sees it, without " (deleted)"
  uint64_t dev = 0;
  uint64_t inode = 0;
  bool deleted = false;
  std::string range;  // of its first executable mapping, as /proc/PID/map_files names it
};

inline constexpr size_t kMaxMappedFiles = 4096;

// Of /proc/PID/maps: each file once, `exe` first, at most kMaxMappedFiles.
std::vector<MappedFile> parse_mapped_files(std::string_view maps, const std::string& exe);

struct ProcessStat {
  std::string comm;  // what stands between the first and the last parenthesis
  uint64_t start_ticks = 0;
  bool has_ended = false;  // all of its threads
  pid_t parent = 0;        // 0: none that this namespace of pids knows
};

// Of /proc/PID/stat; nullopt when there is no start time in it.
std::optional<ProcessStat> parse_stat(std::string_view stat);

// Of /proc/PID/status: the number of the process that a thread belongs to; "" when it does not say.
std::string_view process_of_status(std::string_view status);

std::optional<pid_t> parse_pid(std::string_view text);
// Separated by blanks; what is no number is left out.
std::vector<pid_t> parse_pids(std::string_view text);

}  // namespace mapscope
