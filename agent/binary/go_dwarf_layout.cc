// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_dwarf_layout.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "agent/binary/elf_file.h"

namespace mapscope {
namespace {

constexpr uint64_t kMaxDebugBytes = 64 << 20;
constexpr size_t kMaxEntries = 2'000'000;
constexpr size_t kMaxUnits = 100'000;
constexpr uint64_t kPointerToM = 48;

struct DwarfCloser {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

using Offsets = std::map<std::string, uint16_t, std::less<>>;

std::string_view name_of(Dwarf_Die* entry) {
  const char* name = dwarf_diename(entry);
  return name == nullptr ? "" : name;
}

// Calls visit(Dwarf_Die*) for each child until it returns true.
template <typename Visit>
void visit_children(Dwarf_Die* parent, size_t* entries_left, Visit visit) {
  Dwarf_Die child{};
  for (int status = dwarf_child(parent, &child); status == 0 && *entries_left > 0;
       status = dwarf_siblingof(&child, &child)) {
    --*entries_left;
    if (visit(&child)) return;
  }
}

Offsets members_of(Dwarf_Die* structure, size_t* entries_left) {
  Offsets offsets;
  visit_children(structure, entries_left, [&](Dwarf_Die* member) {
    Dwarf_Attribute attribute{};
    Dwarf_Word offset = 0;
    const bool has_offset = dwarf_tag(member) == DW_TAG_member &&
                            dwarf_attr(member, DW_AT_data_member_location, &attribute) != nullptr &&
                            dwarf_formudata(&attribute, &offset) == 0 && offset <= UINT16_MAX;
    const std::string_view name = name_of(member);
    if (has_offset) offsets.emplace(name, static_cast<uint16_t>(offset));
    return false;
  });
  return offsets;
}

std::optional<GoroutineLayout> layout_of(const Offsets& g, const Offsets& m) {
  GoroutineLayout layout;
  const auto find = [](const Offsets& offsets, std::string_view name, uint16_t* out) {
    const auto found = offsets.find(name);
    if (found != offsets.end()) *out = found->second;
    return found != offsets.end();
  };
  uint16_t pointer_to_m = 0;
  const bool complete = find(g, "atomicstatus", &layout.status) && find(g, "goid", &layout.goid) &&
                        find(g, "startpc", &layout.start_pc) && find(m, "id", &layout.m_id) &&
                        find(m, "curg", &layout.m_curg) && find(m, "p", &layout.m_p) &&
                        find(g, "m", &pointer_to_m);
  if (!complete || pointer_to_m != kPointerToM) return std::nullopt;
  return layout;
}

std::optional<GoroutineLayout> read_unit(Dwarf_Die* unit, size_t* entries_left) {
  Offsets g;
  Offsets m;
  visit_children(unit, entries_left, [&](Dwarf_Die* entry) {
    if (dwarf_tag(entry) != DW_TAG_structure_type) return false;
    const std::string_view name = name_of(entry);
    if (name == "runtime.g" && g.empty()) g = members_of(entry, entries_left);
    if (name == "runtime.m" && m.empty()) m = members_of(entry, entries_left);
    return !g.empty() && !m.empty();
  });
  return layout_of(g, m);
}

}  // namespace

std::optional<GoroutineLayout> read_dwarf_layout(const ElfImage& image) {
  const Result<ElfFile> file =
      ElfFile::open(image.descriptor().get(), image.name(), kMaxDebugBytes, DebugSections::kTypes);
  if (!file || !file->has_debug_info()) return std::nullopt;
  const std::unique_ptr<Dwarf, DwarfCloser> dwarf(
      dwarf_begin_elf(file->elf(), DWARF_C_READ, nullptr));
  if (dwarf == nullptr) return std::nullopt;
  size_t entries_left = kMaxEntries;
  Dwarf_CU* unit = nullptr;
  Dwarf_Die entry{};
  for (size_t i = 0; i < kMaxUnits; ++i) {
    Dwarf_CU* next = nullptr;
    const int status = dwarf_get_units(dwarf.get(), unit, &next, nullptr, nullptr, &entry, nullptr);
    if (status != 0) break;
    unit = next;
    if (name_of(&entry) != "runtime") continue;  // its assembler files are units of that name too
    if (const auto layout = read_unit(&entry, &entries_left)) return layout;
  }
  return std::nullopt;
}

}  // namespace mapscope
