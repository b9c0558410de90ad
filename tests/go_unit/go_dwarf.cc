// SPDX-License-Identifier: Apache-2.0
#include "tests/go_unit/go_dwarf.h"

#include <dwarf.h>
#include <fcntl.h>
#include <gelf.h>

#include <cstdlib>
#include <string_view>
#include <utility>

namespace mapscope::test {
namespace {

// cmd/internal/dwarf of go1.19 to go1.27.
constexpr unsigned kGoKind = 0x2900;
constexpr unsigned kGoKey = 0x2901;
constexpr unsigned kGoElem = 0x2902;
constexpr unsigned kGoRuntimeType = 0x2904;
constexpr Dwarf_Word kMap = 21;
constexpr unsigned kStackPointer = 7;  // DWARF's number of rsp

// An offset in the form of an address.
bool read_word(Dwarf_Attribute* attribute, Dwarf_Word* value) {
  return dwarf_formaddr(attribute, value) == 0 || dwarf_formudata(attribute, value) == 0;
}

ElfFile open_file(const UniqueFd& fd, const std::string& path) {
  Result<ElfFile> file = ElfFile::open(fd.get(), path, 1ULL << 30);
  if (!file) std::abort();
  return std::move(*file);
}

// What the linker counts the addresses of type descriptors from.
uint64_t start_of_types(Elf* elf) {
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header{};
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_SYMTAB) continue;
    Elf_Data* data = elf_getdata(section, nullptr);
    GElf_Sym symbol{};
    for (int i = 0; gelf_getsym(data, i, &symbol) != nullptr; ++i) {
      const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
      if (name != nullptr && std::string_view(name) == "runtime.types") return symbol.st_value;
    }
  }
  std::abort();
}

uint64_t bytes_of(Dwarf_Die* map, unsigned attribute_code) {
  Dwarf_Attribute attribute{};
  Dwarf_Die type{};
  Dwarf_Word bytes = 0;
  const bool known = dwarf_attr(map, attribute_code, &attribute) != nullptr &&
                     dwarf_formref_die(&attribute, &type) != nullptr &&
                     dwarf_aggregate_size(&type, &bytes) == 0;
  return known ? bytes : UINT64_MAX;
}

}  // namespace

GoDwarf::GoDwarf(const std::string& path)
    : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      file_(open_file(fd_, path)),
      dwarf_(dwarf_begin_elf(file_.elf(), DWARF_C_READ, nullptr)) {
  if (dwarf_ == nullptr) std::abort();
}

std::map<uint64_t, GoMapType> GoDwarf::map_types() {
  std::map<uint64_t, GoMapType> types;
  const uint64_t start = start_of_types(file_.elf());
  Dwarf_CU* unit = nullptr;
  Dwarf_Die root{};
  while (dwarf_get_units(dwarf_.get(), unit, &unit, nullptr, nullptr, &root, nullptr) == 0) {
    Dwarf_Die child{};
    for (int status = dwarf_child(&root, &child); status == 0;
         status = dwarf_siblingof(&child, &child)) {
      Dwarf_Attribute attribute{};
      Dwarf_Word kind = 0;
      Dwarf_Word offset = 0;
      const bool is_map = dwarf_attr(&child, kGoKind, &attribute) != nullptr &&
                          dwarf_formudata(&attribute, &kind) == 0 && kind == kMap;
      if (!is_map || dwarf_attr(&child, kGoRuntimeType, &attribute) == nullptr ||
          !read_word(&attribute, &offset) || offset == 0) {
        continue;
      }
      types[start + offset] = {dwarf_diename(&child), bytes_of(&child, kGoKey),
                               bytes_of(&child, kGoElem), 0};
    }
  }
  return types;
}

std::optional<uint64_t> GoDwarf::stack_depth(uint64_t vaddr) {
  Dwarf_CFI* table = dwarf_getcfi(dwarf_.get());
  Dwarf_Frame* frame = nullptr;
  if (table == nullptr || dwarf_cfi_addrframe(table, vaddr, &frame) != 0) return std::nullopt;
  Dwarf_Op* operations = nullptr;
  size_t count = 0;
  std::optional<uint64_t> depth;
  const bool known = dwarf_frame_cfa(frame, &operations, &count) == 0 && count == 1;
  const bool is_relative =
      known && operations[0].atom == DW_OP_bregx && operations[0].number == kStackPointer;
  if (is_relative) depth = operations[0].number2 - 8;  // the return address is below the frame
  std::free(frame);
  return depth;
}

}  // namespace mapscope::test
