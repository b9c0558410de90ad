// SPDX-License-Identifier: Apache-2.0
// agent/binary/elf_sections.h – walks the sections of a file that may be corrupt, and hides some.
#pragma once

#include <elf.h>
#include <gelf.h>
#include <libelf.h>

#include <cstddef>
#include <string_view>

namespace mapscope {

// Calls visit(Elf_Scn*, const GElf_Shdr&, std::string_view name) for each section until it returns
// true. False when a header could not be read; a name that could not is "". A file without sections
// is not corrupt.
template <typename Visit>
bool visit_sections(Elf* elf, Visit visit) {
  constexpr size_t kMaxSections = 1U << 20;
  size_t count = 0;
  if (elf_getshdrnum(elf, &count) != 0 || count > kMaxSections) return false;
  size_t names = 0;
  if (count > 0 && elf_getshdrstrndx(elf, &names) != 0) return false;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header{};
    if (gelf_getshdr(section, &header) == nullptr) return false;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (visit(section, header, std::string_view(name == nullptr ? "" : name))) return true;
  }
  return true;
}

// Makes the section one without contents, for whoever reads this handle from now on; the file stays
// as it is. False when the header cannot be read.
inline bool hide_section(Elf_Scn* section) {
  GElf_Shdr header{};
  if (gelf_getshdr(section, &header) == nullptr) return false;
  header.sh_type = SHT_NOBITS;
  header.sh_flags &= ~static_cast<GElf_Xword>(SHF_COMPRESSED);
  return gelf_update_shdr(section, &header) != 0;
}

}  // namespace mapscope
