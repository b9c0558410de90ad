// SPDX-License-Identifier: Apache-2.0
// agent/memory_headrooms.h – what targets may still take before the memory limit of their control
// groups, read when it is asked for. Threads: any.
#pragma once

#include <vector>

#include "agent/model/resize.h"
#include "agent/model/self_stats.h"

namespace mapscope {

// Of attached targets that have a limit, each for itself.
void add_headrooms(const std::vector<Target>& targets, SelfStats& stats);

}  // namespace mapscope
