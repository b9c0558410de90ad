// SPDX-License-Identifier: Apache-2.0
// target/load/modes.h – what the load program can do with its options. Each returns the exit code.
#pragma once

#include "target/load/options.h"

namespace mapscope {

// One run in this process, then one line about it.
[[nodiscard]] int run_once(const LoadOptions& options);
// Every strategy on the same load, each in a child process, as a table.
[[nodiscard]] int compare(const LoadOptions& options);
// The same run many times, each in a child process: how long until it dies.
[[nodiscard]] int repeat(const LoadOptions& options);

}  // namespace mapscope
