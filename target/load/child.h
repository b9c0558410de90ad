// SPDX-License-Identifier: Apache-2.0
// target/load/child.h – a run in a process of its own, which may die of it.
#pragma once

#include "target/load/options.h"
#include "target/load/run_record.h"

namespace mapscope {

// Forks, runs, and waits. The wait status of the child (see waitpid); -1 when there is none, with
// errno. The child's stderr is dropped: record has the message. REQUIRES: the calling process has
// one thread.
[[nodiscard]] int run_in_child(const LoadOptions& options, RunRecord& record);

}  // namespace mapscope
