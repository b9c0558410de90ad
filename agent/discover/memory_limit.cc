// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/memory_limit.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/discover/process_files.h"

namespace mapscope {
namespace {

constexpr size_t kMaxCgroupBytes = 65536;
constexpr size_t kMaxFileBytes = 16384;
constexpr std::string_view kMount = "/sys/fs/cgroup";
// v1 has no word for none, but the greatest number of pages.
constexpr uint64_t kUnlimited = uint64_t{1} << 62;

struct Names {
  std::string_view limit;
  std::string_view use;
  std::string_view unused_cache;  // in memory.stat
};
constexpr Names kV1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr Names kV2 = {"memory.max", "memory.current", "inactive_file"};

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return {};
  return value;
}

// Between the first and the second colon.
bool names_memory(std::string_view controllers) {
  while (!controllers.empty()) {
    const size_t length = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, length) == "memory") return true;
    controllers.remove_prefix(std::min(length + 1, controllers.size()));
  }
  return false;
}

void add_groups(std::string_view path, std::string_view mount, bool is_v1,
                std::vector<MemoryGroup>& groups) {
  // Outside of what this agent's namespace shows; the process may see itself at the top.
  if (path.starts_with("/..") || path.find("/../") != std::string_view::npos) path = "";
  while (path.ends_with('/')) path.remove_suffix(1);
  while (!path.empty() && groups.size() + 1 < kMaxMemoryGroups) {
    groups.push_back({std::string(mount).append(path), is_v1});
    path = path.substr(0, path.rfind('/'));
  }
  groups.push_back({std::string(mount), is_v1});
}

std::optional<std::string> read_group_file(const UniqueFd& root, const MemoryGroup& group,
                                           std::string_view name) {
  const std::string path = std::string(kMount).append(group.folder).append("/").append(name);
  const UniqueFd place = open_path_in(root, path);
  struct statfs system {};
  if (!place.valid() || ::fstatfs(place.get(), &system) != 0) return {};
  if (system.f_type != (group.is_v1 ? CGROUP_SUPER_MAGIC : CGROUP2_SUPER_MAGIC)) return {};
  auto text = read_bounded("/proc/self/fd/" + std::to_string(place.get()), kMaxFileBytes);
  return text ? std::optional(std::move(*text)) : std::nullopt;
}

std::optional<uint64_t> headroom_of(const UniqueFd& root, const MemoryGroup& group) {
  const Names& names = group.is_v1 ? kV1 : kV2;
  const auto limit_text = read_group_file(root, group, names.limit);
  const auto limit = limit_text ? parse_memory_limit(*limit_text) : std::nullopt;
  if (!limit) return {};
  const auto use_text = read_group_file(root, group, names.use);
  const auto use = use_text ? parse_number(*use_text) : std::nullopt;
  if (!use) return {};
  const auto stat = read_group_file(root, group, "memory.stat");
  const uint64_t cache =
      stat ? parse_memory_stat(*stat, names.unused_cache).value_or(0) : uint64_t{0};
  const uint64_t needed = *use - std::min(*use, cache);
  return *limit - std::min(*limit, needed);
}

}  // namespace

std::vector<MemoryGroup> memory_groups(std::string_view cgroups) {
  std::optional<std::string_view> v2;
  while (!cgroups.empty()) {
    const size_t length = std::min(cgroups.find('\n'), cgroups.size());
    const std::string_view line = cgroups.substr(0, length);
    cgroups.remove_prefix(std::min(length + 1, cgroups.size()));
    const size_t first = std::min(line.find(':'), line.size());
    const size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (line.starts_with("0::")) v2 = path;
    if (!names_memory(controllers)) continue;
    std::vector<MemoryGroup> groups;
    add_groups(path, "/memory", true, groups);
    return groups;
  }
  std::vector<MemoryGroup> groups;
  if (v2) add_groups(*v2, "", false, groups);
  return groups;
}

std::optional<uint64_t> parse_memory_limit(std::string_view text) {
  const auto limit = parse_number(text);
  return limit && *limit < kUnlimited ? limit : std::nullopt;
}

std::optional<uint64_t> parse_memory_stat(std::string_view stat, std::string_view key) {
  while (!stat.empty()) {
    const size_t length = std::min(stat.find('\n'), stat.size());
    const std::string_view line = stat.substr(0, length);
    stat.remove_prefix(std::min(length + 1, stat.size()));
    if (line.starts_with(key) && line.substr(key.size()).starts_with(' '))
      return parse_number(line.substr(key.size() + 1));
  }
  return {};
}

std::optional<uint64_t> memory_headroom(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const auto cgroups = read_bounded(process + "/cgroup", kMaxCgroupBytes);
  const UniqueFd root(::open((process + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!cgroups || !root.valid()) return {};
  std::optional<uint64_t> least;
  for (const MemoryGroup& group : memory_groups(*cgroups)) {
    const auto headroom = headroom_of(root, group);
    if (headroom && (!least || *headroom < *least)) least = headroom;
  }
  return least;
}

}  // namespace mapscope
