// SPDX-License-Identifier: Apache-2.0
// tests/fuzz/support/memory_file.h – bytes as a file, for parsers that read files.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"
#include "tests/fuzz/support/fuzz_target.h"

namespace mapscope::test {

inline UniqueFd memory_file(Input input) {
  UniqueFd fd(::memfd_create("fuzz", MFD_CLOEXEC));
  require(::write(fd.get(), input.data(), input.size()) == static_cast<ssize_t>(input.size()));
  return fd;
}

}  // namespace mapscope::test
