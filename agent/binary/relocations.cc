// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/relocations.h"

#include <elf.h>

#include <algorithm>
#include <optional>

namespace mapscope {
namespace {

constexpr uint64_t kMaxDynamicEntries = 4096;
constexpr uint64_t kMaxEntries = 4'000'000;

struct RelaTable {
  uint64_t symbols = 0;  // DT_SYMTAB
  uint64_t vaddr = 0;
  uint64_t bytes = 0;
  uint64_t entry_bytes = sizeof(Elf64_Rela);
};

RelaTable find_table(const ImageBytes& bytes, const LoadedSection& dynamic) {
  RelaTable table;
  const uint64_t count = std::min(dynamic.bytes / sizeof(Elf64_Dyn), kMaxDynamicEntries);
  for (uint64_t i = 0; i < count; ++i) {
    const auto entry = bytes.load<Elf64_Dyn>(dynamic.vaddr + i * sizeof(Elf64_Dyn));
    if (!entry || entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_SYMTAB) table.symbols = entry->d_un.d_ptr;
    if (entry->d_tag == DT_RELA) table.vaddr = entry->d_un.d_ptr;
    if (entry->d_tag == DT_RELASZ) table.bytes = entry->d_un.d_val;
    if (entry->d_tag == DT_RELAENT) table.entry_bytes = entry->d_un.d_val;
  }
  return table;
}

// What the loader writes there; nullopt: not known from this file.
std::optional<uint64_t> value_of(const ImageBytes& bytes, const RelaTable& table,
                                 const Elf64_Rela& entry) {
  const auto addend = static_cast<uint64_t>(entry.r_addend);
  if (ELF64_R_TYPE(entry.r_info) == R_X86_64_RELATIVE) return addend;
  if (ELF64_R_TYPE(entry.r_info) != R_X86_64_64 || table.symbols == 0) return std::nullopt;
  const auto symbol =
      bytes.load<Elf64_Sym>(table.symbols + ELF64_R_SYM(entry.r_info) * sizeof(Elf64_Sym));
  if (!symbol || symbol->st_shndx == SHN_UNDEF) return std::nullopt;
  return symbol->st_value + addend;
}

}  // namespace

std::vector<Relocation> read_relocations(const ImageBytes& bytes, const LoadedSection& dynamic) {
  std::vector<Relocation> found;
  const RelaTable table = find_table(bytes, dynamic);
  if (table.entry_bytes != sizeof(Elf64_Rela)) return found;
  const uint64_t size = std::min(table.bytes, bytes.available(table.vaddr));
  const uint64_t count = std::min(size / sizeof(Elf64_Rela), kMaxEntries);
  for (uint64_t i = 0; i < count && found.size() < kMaxRelocations; ++i) {
    const auto entry = bytes.load<Elf64_Rela>(table.vaddr + i * sizeof(Elf64_Rela));
    if (!entry) break;
    const auto value = value_of(bytes, table, *entry);
    if (!value) continue;
    const auto offset = bytes.file_offset(entry->r_offset);
    const auto in_file = bytes.load<uint64_t>(entry->r_offset);
    if (offset && in_file && *in_file != *value) found.push_back({*offset, *value});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Relocation& a, const Relocation& b) { return a.offset < b.offset; });
  // The last one of a word counts; none overlaps another, so that a block has a bound on them.
  const auto repeated = std::unique(found.rbegin(), found.rend(),
                                    [](const Relocation& kept, const Relocation& before) {
                                      return before.offset + sizeof(before.value) > kept.offset;
                                    });
  found.erase(found.begin(), repeated.base());
  return found;
}

}  // namespace mapscope
