// SPDX-License-Identifier: Apache-2.0
// The texts of /proc/PID: maps, by both of the agent's readers, stat, status, children and cgroup.
#include <algorithm>

#include "agent/discover/container.h"
#include "agent/discover/memory_limit.h"
#include "agent/discover/proc_text.h"
#include "agent/symbolize/memory_map.h"
#include "tests/fuzz/support/fuzz_target.h"

namespace mapscope::test {
namespace {

#define ID "589e0c7a7d3c7b0e2f4f1d9a6b8c5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d"
#define UID "1a2b3c4d_5e6f_4a1b_8c2d_9e0f1a2b3c4d"

constexpr size_t kMaxMappings = 64;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

void check(const Container& container) {
  require(container.id.empty() || container.id.size() == 64);
  require(std::ranges::all_of(container.id, is_hex));
  require(container.pod_uid.empty() || (!container.id.empty() && container.pod_uid.size() >= 32));
}

}  // namespace

Seeds make_seeds() {
  return {
      {"maps", bytes_of("55d0c0a00000-55d0c0a02000 r-xp 00002000 fe:01 262423   /usr/bin/store\n"
                        "7f1c5a000000-7f1c5a100000 rw-p 00000000 00:00 0 \n"
                        "7f1c5b028000-7f1c5b1bd000 r-xp 00028000 00:2a 91   /lib/a b.so (deleted)\n"
                        "7ffe0c5f4000-7ffe0c5f6000 r-xp 00000000 00:00 0   [vdso]\n"
                        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]\n")},
      {"stat",
       bytes_of("4242 (a) b) S 1 4242 4242 0 -1 4194560 95 0 0 0 0 0 0 0 20 0 3 0 7512 1\n")},
      {"status",
       bytes_of("Name:\tstore\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4242\nNgid:\t0\n")},
      {"children", bytes_of("4243 4250 4251 ")},
      {"memory", bytes_of("9:cpu,memory:/a/b/c\n0::/a\n")},
      {"memory.stat", bytes_of("anon 4096\nfile 8192\ninactive_file 4096\n")},
      {"v2", bytes_of("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID
                      ".slice/cri-containerd-" ID ".scope\n")},
      {"v1",
       bytes_of("12:pids:/docker/" ID "/kubepods/pod96e1ac4f0c6ee0a2fcaa8f0f2d3a9d17/" ID
                "\n1:name=systemd:/x\n0::/../crio-" ID ".scope/slice:cri-containerd:" ID "\n")}};
}

void feed(Input input) {
  const std::string_view text = text_of(input);
  require(parse_mapped_files(text, "/usr/bin/store").size() <= kMaxMappedFiles);
  const auto mappings = parse_executable_mappings(text, kMaxMappings);
  require(mappings.size() <= kMaxMappings);
  for (const ExecutableMapping& mapping : mappings) require(mapping.start < mapping.end);
  if (const auto stat = parse_stat(text)) require(stat->comm.size() < text.size());
  require(process_of_status(text).find('\n') == std::string_view::npos);
  require(parse_pids(text).size() <= text.size());
  check(parse_cgroups(text));
  const auto groups = memory_groups(text);
  require(groups.size() <= kMaxMemoryGroups);
  for (const MemoryGroup& group : groups) require(group.folder.find("/../") == std::string::npos);
  (void)parse_memory_limit(text);
  (void)parse_memory_stat(text, "inactive_file");
}

}  // namespace mapscope::test
