// SPDX-License-Identifier: Apache-2.0
// agent/discover/process_files.h – reads files of /proc, and finds those that a process sees.
// Threads: any, no shared state.
#pragma once

#include <cstddef>
#include <string>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

namespace mapscope {

// At most `limit` bytes: what the kernel makes up has no size to ask for.
Result<std::string> read_bounded(const std::string& path, size_t limit);

// A handle without rights to read (O_PATH) of what `path` leads to below `root`; invalid when there
// is nothing. Links that only the kernel can follow are not followed.
UniqueFd open_path_in(const UniqueFd& root, const std::string& path);

}  // namespace mapscope
