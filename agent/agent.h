// SPDX-License-Identifier: Apache-2.0
// agent/agent.h – `agent --pid N`: the flow, and the loop that keeps it going until there is
// nothing left to watch.
#pragma once

#include "agent/base/result.h"
#include "agent/options.h"

namespace mapscope {

// Returns when every process that was named has ended (not so with a selection), the time is over,
// or SIGINT or SIGTERM came: all three are success. Nothing stays behind in the kernel, however it
// ends. REQUIRES: called from the main thread, once.
Status watch_targets(const WatchOptions& options);

}  // namespace mapscope
