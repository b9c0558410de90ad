// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/memory_map.h – the files a process has mapped executable, from the text of
// /proc/PID/maps.
//
// The text is influenced by the process (names, number of lines): a line that makes no sense is
// left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

namespace mapscope {

// Addresses are the process', offset is the file's. The vdso has inode 0 and the path kVdsoPath.
struct ExecutableMapping {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;
  uint64_t dev = 0;
  uint64_t inode = 0;
  std::string path;  // as the kernel prints it, without " (deleted)"
  bool operator==(const ExecutableMapping&) const = default;
};

inline constexpr std::string_view kVdsoPath = "[vdso]";

// The first `max_mappings` executable mappings of files and of the vdso, by address; memory without
// a file (of a just-in-time compiler, say) is left out.
std::vector<ExecutableMapping> parse_executable_mappings(std::string_view maps_text,
                                                         size_t max_mappings);

// Errors: kNotFound when the process is gone, kPermission.
Result<std::vector<ExecutableMapping>> read_executable_mappings(int pid, size_t max_mappings);

// The file behind a mapping of a process, whatever became of its name; takes CAP_SYS_ADMIN or
// CAP_CHECKPOINT_RESTORE. Invalid when that is not granted or the mapping is gone.
UniqueFd open_mapping(int pid, const ExecutableMapping& mapping);

}  // namespace mapscope
