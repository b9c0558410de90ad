// SPDX-License-Identifier: Apache-2.0
// agent/agent.h – `agent --pid N`: the flow, and the loop that keeps it going until there is
// nothing left to watch.
#pragma once

#include "agent/base/result.h"
#include "agent/options.h"

namespace mapscope {

// Returns when the command has ended or, without one, every process that was named (not so with a
// selection), when the time is over, or SIGINT or SIGTERM came: all are success. The value is the
// exit status: the command's where there is one, else 0. Nothing stays behind in the kernel,
// however it ends. REQUIRES: called from the main thread, once.
Result<int> watch_targets(const WatchOptions& options);

}  // namespace mapscope
