// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/support/mapped_file.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace mapscope::test {

std::optional<ExecutableMapping> mapping_of(Input file) {
  Elf64_Ehdr header{};
  if (file.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, file.data(), sizeof(header));
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    const uint64_t at = i * sizeof(segment);
    if (header.e_phoff > file.size() || file.size() - header.e_phoff < at + sizeof(segment)) break;
    std::memcpy(&segment, file.data() + header.e_phoff + at, sizeof(segment));
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 || segment.p_memsz == 0)
      continue;
    const uint64_t start = kMappedBase + segment.p_vaddr % kMappedBase;
    const uint64_t bytes = std::min<uint64_t>(segment.p_memsz, kMaxMappedBytes);
    return ExecutableMapping{start, start + bytes, segment.p_offset, 1, 1, "/file"};
  }
  return std::nullopt;
}

}  // namespace mapscope::test
