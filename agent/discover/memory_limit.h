// SPDX-License-Identifier: Apache-2.0
// agent/discover/memory_limit.h – how much memory a process may still take before its control
// group's limit.
//
// In:  /proc/PID/cgroup, and the group's files as the process itself sees them, below
//      /proc/PID/root/sys/fs/cgroup: in a container that is its own group, and the agent needs no
//      mount of the host's. What is not a control group's file there is not believed.
// How: limit - (use - page cache that nobody has asked for lately), the least of the group and of
//      those above it that are seen. That cache is given back before anybody is killed.
//
//   cgroup v2: memory.max, memory.current, inactive_file of memory.stat
//   cgroup v1: memory.limit_in_bytes, memory.usage_in_bytes, total_inactive_file
//
// Threads: any, no shared state.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

// Bytes; 0 when it has more than it may. nullopt: no limit, no right to look, or no such process.
std::optional<uint64_t> memory_headroom(pid_t pid);

// The pure parts.

// Folders below /sys/fs/cgroup, the process' own group first, then those above it, with where that
// hierarchy is mounted last; at most kMaxMemoryGroups.
struct MemoryGroup {
  std::string folder;
  bool is_v1 = false;
  bool operator==(const MemoryGroup&) const = default;
};
inline constexpr size_t kMaxMemoryGroups = 32;
std::vector<MemoryGroup> memory_groups(std::string_view cgroups);
// Of a limit's file; nullopt for "max", for v1's greatest number, and for what is no number.
std::optional<uint64_t> parse_memory_limit(std::string_view text);
// The value behind `key ` at the start of a line.
std::optional<uint64_t> parse_memory_stat(std::string_view stat, std::string_view key);

}  // namespace mapscope
