// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/symbol_table.h"

#include <algorithm>
#include <tuple>

#include "agent/binary/elf_sections.h"

namespace mapscope {
namespace {

constexpr size_t kMaxFunctions = 10'000'000;
// How many functions may begin inside another one and before the address.
constexpr int kMaxNested = 16;

bool is_function(const GElf_Sym& symbol) {
  const int type = GELF_ST_TYPE(symbol.st_info);
  return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF &&
         symbol.st_name != 0;
}

}  // namespace

void SymbolTable::add(Elf* elf) {
  visit_sections(elf, [&](Elf_Scn* section, const GElf_Shdr& header, std::string_view) {
    if (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) return false;
    Elf_Data* data = elf_getdata(section, nullptr);
    GElf_Sym symbol{};
    for (int i = 0; functions_.size() < kMaxFunctions && gelf_getsym(data, i, &symbol) != nullptr;
         ++i) {
      const char* name =
          is_function(symbol) ? elf_strptr(elf, header.sh_link, symbol.st_name) : nullptr;
      if (name == nullptr) continue;
      functions_.push_back(
          {symbol.st_value, symbol.st_size, name, GELF_ST_BIND(symbol.st_info) == STB_LOCAL});
    }
    return false;
  });
  sorted_ = false;
}

const char* SymbolTable::find(uint64_t vaddr) {
  if (!sorted_) {
    // Of several names for one function the global one comes last, where the search meets it first.
    std::ranges::stable_sort(functions_, {}, [](const Function& function) {
      return std::tuple(function.vaddr, !function.local);
    });
    sorted_ = true;
  }
  auto after = std::ranges::upper_bound(functions_, vaddr, {}, &Function::vaddr);
  for (int i = 0; i < kMaxNested && after != functions_.begin(); ++i) {
    --after;
    if (vaddr - after->vaddr < after->size || vaddr == after->vaddr) return after->name;
  }
  return nullptr;
}

}  // namespace mapscope
