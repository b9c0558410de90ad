// SPDX-License-Identifier: Apache-2.0
#include "tests/support/relocated_image.h"

#include <elf.h>

#include <cstring>
#include <vector>

namespace mapscope::test {

RelocatedImage relocate(const GoImage& image) {
  RelocatedImage out;
  out.bytes = image.bytes;
  std::vector<Elf64_Rela> table;
  const uint64_t end = GoImage::vaddr(image.bytes.size());
  for (size_t at = GoImage::kText - GoImage::kBase; at + 8 <= out.bytes.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, out.bytes.data() + at, sizeof(word));
    if (word < GoImage::kBase || word > end) continue;
    table.push_back({GoImage::vaddr(at), R_X86_64_RELATIVE, static_cast<int64_t>(word)});
    std::memset(out.bytes.data() + at, 0, sizeof(word));
  }
  const auto append = [&](const void* data, size_t size) {
    out.bytes.resize((out.bytes.size() + 7) / 8 * 8);
    const auto* first = static_cast<const uint8_t*>(data);
    out.bytes.insert(out.bytes.end(), first, first + size);
    return out.bytes.size() - size;
  };
  out.entries = table.size();
  out.table = append(table.data(), table.size() * sizeof(Elf64_Rela));
  const Elf64_Dyn dynamic[] = {{DT_RELA, {GoImage::vaddr(out.table)}},
                               {DT_RELASZ, {table.size() * sizeof(Elf64_Rela)}},
                               {DT_RELAENT, {sizeof(Elf64_Rela)}},
                               {DT_NULL, {0}}};
  out.dynamic = append(dynamic, sizeof(dynamic));
  // The writable segment reaches to the end; behind it the headers have room for one more.
  Elf64_Phdr segment;
  const size_t writable = image.segments + sizeof(segment);
  std::memcpy(&segment, out.bytes.data() + writable, sizeof(segment));
  segment.p_filesz = segment.p_memsz = out.bytes.size() - segment.p_offset;
  std::memcpy(out.bytes.data() + writable, &segment, sizeof(segment));
  segment.p_type = PT_DYNAMIC;
  segment.p_offset = out.dynamic;
  segment.p_vaddr = GoImage::vaddr(out.dynamic);
  segment.p_filesz = segment.p_memsz = sizeof(dynamic);
  out.dynamic_segment = writable + sizeof(segment);
  std::memcpy(out.bytes.data() + out.dynamic_segment, &segment, sizeof(segment));
  Elf64_Ehdr header;
  std::memcpy(&header, out.bytes.data(), sizeof(header));
  header.e_type = ET_DYN;
  header.e_phnum = 3;
  std::memcpy(out.bytes.data(), &header, sizeof(header));
  return out;
}

}  // namespace mapscope::test
