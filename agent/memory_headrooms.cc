// SPDX-License-Identifier: Apache-2.0
#include "agent/memory_headrooms.h"

#include <algorithm>
#include <map>
#include <string>

#include "agent/discover/memory_limit.h"
#include "agent/model/process_labels.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

void add_headrooms(const std::vector<Target>& targets, SelfStats& stats) {
  std::map<ProcessLabels, uint64_t> least;
  for (const Target& target : targets) {
    if (target.state != TargetState::kAttached) continue;
    const auto headroom = memory_headroom(target.pid);
    if (!headroom) continue;
    const std::string runtime(target.runtime == nullptr ? "" : target.runtime->name);
    const auto [known, is_first] =
        least.try_emplace({target.comm, runtime, target.container_id, target.pod_uid}, *headroom);
    if (!is_first) known->second = std::min(known->second, *headroom);
  }
  for (const auto& [labels, bytes] : least) {
    stats.headrooms.push_back({labels.process, labels.runtime, "", static_cast<double>(bytes),
                               labels.container_id, labels.pod_uid});
  }
}

}  // namespace mapscope
