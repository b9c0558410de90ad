// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/support/elf_mutator.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace mapscope::test {
namespace {

constexpr size_t kMaxChange = 64;  // bytes

using Part = std::span<uint8_t>;

// Of the file, as much as there is of it.
Part part_of(Part file, uint64_t offset, uint64_t bytes) {
  if (offset >= file.size()) return {};
  return file.subspan(offset, std::min<uint64_t>(bytes, file.size() - offset));
}

template <typename Entry>
std::vector<Entry> entries_of(Part table) {
  std::vector<Entry> entries(table.size() / sizeof(Entry));
  if (!entries.empty()) std::memcpy(entries.data(), table.data(), entries.size() * sizeof(Entry));
  return entries;
}

// The headers, and what they say that there is. Empty when it is not even an ELF file.
std::vector<Part> parts_of(Part file) {
  Elf64_Ehdr header{};
  if (file.size() < sizeof(header) || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0) return {};
  std::memcpy(&header, file.data(), sizeof(header));
  const Part segments = part_of(file, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr));
  const Part sections = part_of(file, header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr));
  std::vector<Part> parts = {file.first(sizeof(header)), segments, sections};
  for (const Elf64_Phdr& segment : entries_of<Elf64_Phdr>(segments))
    parts.push_back(part_of(file, segment.p_offset, segment.p_filesz));
  for (const Elf64_Shdr& section : entries_of<Elf64_Shdr>(sections)) {
    if (section.sh_type != SHT_NOBITS)
      parts.push_back(part_of(file, section.sh_offset, section.sh_size));
  }
  std::erase_if(parts, [](Part part) { return part.empty(); });
  return parts;
}

}  // namespace

size_t mutate_elf(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  const std::vector<Part> parts = parts_of({data, size});
  if (parts.empty() || random() % 16 == 0) return LLVMFuzzerMutate(data, size, max_size);
  for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
    const Part part = parts[random() % parts.size()];
    const size_t at = random() % part.size();
    const Part place = part.subspan(at, std::min(kMaxChange, part.size() - at));
    std::vector<uint8_t> changed(place.begin(), place.end());
    const size_t bytes = LLVMFuzzerMutate(changed.data(), changed.size(), changed.size());
    std::copy_n(changed.begin(), bytes, place.begin());
  }
  return size;
}

}  // namespace mapscope::test
