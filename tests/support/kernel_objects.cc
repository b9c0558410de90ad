// SPDX-License-Identifier: Apache-2.0
#include "tests/support/kernel_objects.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "agent/base/unique_fd.h"

namespace mapscope::test {
namespace {

size_t count_open(const std::set<uint32_t>& ids, int (*open_by_id)(uint32_t)) {
  return static_cast<size_t>(std::count_if(
      ids.begin(), ids.end(), [&](uint32_t id) { return UniqueFd(open_by_id(id)).valid(); }));
}

}  // namespace

KernelObjects kernel_objects_of(pid_t pid) {
  KernelObjects objects;
  const std::string directory = "/proc/" + std::to_string(pid) + "/fdinfo";
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream info(entry.path());
    uint32_t id = 0;
    for (std::string key; info >> key;) {
      if (key == "link_id:" && info >> id) objects.links.insert(id);
      if (key == "map_id:" && info >> id) objects.maps.insert(id);
      if (key == "prog_id:" && info >> id) objects.programs.insert(id);
    }
  }
  return objects;
}

size_t count_existing(const KernelObjects& objects) {
  return count_open(objects.programs, bpf_prog_get_fd_by_id) +
         count_open(objects.maps, bpf_map_get_fd_by_id) +
         count_open(objects.links, bpf_link_get_fd_by_id);
}

}  // namespace mapscope::test
