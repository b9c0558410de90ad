// SPDX-License-Identifier: Apache-2.0
#include "agent/memory_headrooms.h"

#include <string>

#include "agent/discover/memory_limit.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

void add_headrooms(const std::vector<Target>& targets, SelfStats& stats) {
  for (const Target& target : targets) {
    if (target.state != TargetState::kAttached) continue;
    const auto headroom = memory_headroom(target.pid);
    if (!headroom) continue;
    stats.headrooms.push_back(
        {target.comm, std::string(target.runtime == nullptr ? "" : target.runtime->name), "",
         static_cast<double>(*headroom), target.container_id, target.pod_uid});
  }
}

}  // namespace mapscope
