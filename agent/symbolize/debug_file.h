// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/debug_file.h – finds the separate debug file of a stripped binary, in the
// target's own root only.
//
// Looked for by build id and by .gnu_debuglink, as gdb does, and taken only when its build id is
// that of the binary. Nothing is ever fetched from a debuginfod server.
#pragma once

#include <string>

#include "agent/base/unique_fd.h"
#include "agent/binary/elf_file.h"

namespace mapscope {

struct DebugFile {
  UniqueFd fd;
  ElfFile elf;
};

// `root`: the target's root directory. `path`: of the binary, as the target sees it.
// Errors: kNotFound when there is none, or none with the same build id.
Result<DebugFile> open_debug_file(const UniqueFd& root, const std::string& path,
                                  const ElfFile& binary, uint64_t max_debug_bytes);

}  // namespace mapscope
