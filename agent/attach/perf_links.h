// SPDX-License-Identifier: Apache-2.0
// agent/attach/perf_links.h – lets libbpf find out early what it wants to know of perf events.
#pragma once

#include "agent/attach/programs.h"

namespace mapscope {

// Before its first attachment by perf events libbpf loads a program to see whether the kernel has
// links of them, and remembers the answer. To be called while loading programs is still allowed.
void learn_perf_links(const Programs& programs);

}  // namespace mapscope
