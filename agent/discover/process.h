// SPDX-License-Identifier: Apache-2.0
// agent/discover/process.h – one running process and the executable files it has mapped, read from
// /proc.
//
// Everything here comes from files that the process, or its container, can influence: sizes are
// bounded, names are kept as raw bytes (escape them where they are shown), and files are opened
// beneath the process' own root directory. Threads: any, no shared state.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/discover/container.h"
#include "agent/discover/proc_text.h"

namespace mapscope {

struct Process {
  pid_t pid = 0;
  uint64_t start_ticks =
      0;             // field 22 of /proc/PID/stat: with pid, an identity that is never reused
  std::string comm;  // at most 15 bytes
  std::string exe;   // path as the process sees it
  std::vector<MappedFile> files;  // the executable first, each file once
  Container container;            // empty outside of any
};

// What tells one program of one process from every other, and what it is called; little to read.
struct ProcessGlimpse {
  uint64_t start_ticks = 0;
  std::string comm;
  std::string exe;
  uint64_t exe_dev = 0;  // as stat() tells them
  uint64_t exe_inode = 0;
  bool operator==(const ProcessGlimpse&) const = default;
};

// Errors: kNotFound when there is no such process (or it is a kernel thread), kPermission without
// the right to look.
Result<Process> read_process(pid_t pid);

// nullopt: no such process, a kernel thread, or no right to look. A process that is ending is none.
std::optional<ProcessGlimpse> glimpse_process(pid_t pid);

// Error: what /proc says cannot be read, of any process: it is not there, or no descriptor is left.
Status check_proc();
// Every process that /proc lists now. Error: as above.
Result<std::vector<pid_t>> list_processes();
// Those that the process has forked; empty where the kernel does not tell.
std::vector<pid_t> list_children(pid_t pid);
// Whether the process is below another one, by what /proc says of parents now.
bool is_descendant(pid_t pid, pid_t ancestor);

// Whether that very process, not a later one of the same pid, still exists. True also while /proc
// cannot be read, unless the kernel knows no process of that pid.
bool is_running(pid_t pid, uint64_t start_ticks);

// Opens the file for reading below /proc/PID/root (RESOLVE_IN_ROOT, no magic links, regular files
// only); one that was deleted or replaced by the mapping itself (/proc/PID/map_files, which takes
// CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), the executable by /proc/PID/exe. The opened file is the
// mapped one: its inode is compared and kNotFound returned if the path now leads elsewhere; kSystem
// when there are no descriptors or no memory to open any.
Result<UniqueFd> open_mapped_file(const Process& process, const MappedFile& file);

}  // namespace mapscope
