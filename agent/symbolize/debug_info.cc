// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/debug_info.h"

#include <dwarf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <utility>

#include "agent/binary/elf_sections.h"

namespace mapscope {
namespace {

constexpr uint64_t kMaxEntries = 20'000'000;  // DIEs and ranges of one walk: some seconds
constexpr size_t kMaxDepth = 128;
// Of all units that are asked for together: a row takes some 50 times its byte.
constexpr uint64_t kMaxLineProgramBytes = 8U << 20;
constexpr size_t kMaxRanges = 2'000'000;  // of all units, and of the functions of one

class Budget {
 public:
  bool spend() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  uint64_t left_ = kMaxEntries;
};

template <typename Visit>  // void(low, high)
void visit_ranges(Dwarf_Die* die, Budget& budget, Visit visit) {
  Dwarf_Addr base = 0;
  Dwarf_Addr low = 0;
  Dwarf_Addr high = 0;
  ptrdiff_t offset = 0;
  while (budget.spend() && (offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
    // Linkers give code that they threw away the address 0.
    if (low != 0 && low < high) visit(low, high);
  }
}

bool holds(Dwarf_Die* die, uint64_t vaddr, Budget& budget) {
  bool found = false;
  visit_ranges(die, budget,
               [&](Dwarf_Addr low, Dwarf_Addr high) { found |= low <= vaddr && vaddr < high; });
  return found;
}

bool may_hold_functions(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
      return true;
    default:
      return false;
  }
}

// Visits what is below `root`, without recursion. `visit` says whether to go below an entry as
// well.
template <typename Visit>  // bool(Dwarf_Die&)
void visit_entries(Dwarf_Die& root, Budget& budget, Visit visit) {
  std::vector<Dwarf_Die> path(1);
  if (dwarf_child(&root, path.data()) != 0) return;
  while (!path.empty() && budget.spend()) {
    const bool below = visit(path.back());
    Dwarf_Die next{};
    if (below && path.size() < kMaxDepth && dwarf_child(&path.back(), &next) == 0) {
      path.push_back(next);
      continue;
    }
    while (!path.empty() && dwarf_siblingof(&path.back(), &next) != 0) path.pop_back();
    if (!path.empty()) path.back() = next;
  }
}

// The inlined calls around the address, outermost first.
std::vector<Dwarf_Die> inlined_calls(Dwarf_Die& function, uint64_t vaddr, Budget& budget) {
  std::vector<Dwarf_Die> calls;
  Dwarf_Die scope = function;
  for (size_t depth = 0; depth < kMaxDepth; ++depth) {
    bool deeper = false;
    Dwarf_Die child{};
    for (int status = dwarf_child(&scope, &child); status == 0 && budget.spend();
         status = dwarf_siblingof(&child, &child)) {
      const int tag = dwarf_tag(&child);
      if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block) continue;
      if (!holds(&child, vaddr, budget)) continue;
      if (tag == DW_TAG_inlined_subroutine) calls.push_back(child);
      scope = child;
      deeper = true;
      break;
    }
    if (!deeper) break;
  }
  return calls;
}

using Contents = std::span<const unsigned char>;

// Of ".NAME" or ".zNAME", as libdw has expanded it.
Contents contents_of(Elf* elf, std::string_view name) {
  Contents contents;
  visit_sections(elf, [&](Elf_Scn* section, const GElf_Shdr&, std::string_view section_name) {
    if (!section_name.ends_with(name) || section_name.size() > name.size() + 2) return false;
    const Elf_Data* data = elf_rawdata(section, nullptr);
    if (data != nullptr && data->d_buf != nullptr) {
      contents = {static_cast<const unsigned char*>(data->d_buf), data->d_size};
    }
    return true;
  });
  return contents;
}

// libdw looks for the end of a string without looking for the end of the section.
bool ends_its_strings(Elf* elf) {
  return std::ranges::all_of(std::array{"debug_str", "debug_line_str"}, [&](const char* name) {
    const Contents strings = contents_of(elf, name);
    return strings.empty() || strings.back() == 0;
  });
}

uint32_t number_of(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute{};
  Dwarf_Word value = 0;
  if (dwarf_formudata(dwarf_attr(&die, name, &attribute), &value) != 0) return 0;
  return value > UINT32_MAX ? 0 : static_cast<uint32_t>(value);
}

void name_function(Dwarf_Die& die, SourceFrame& frame) {
  Dwarf_Attribute attribute{};
  const char* name = dwarf_formstring(dwarf_attr_integrate(&die, DW_AT_linkage_name, &attribute));
  if (name == nullptr)
    name = dwarf_formstring(dwarf_attr_integrate(&die, DW_AT_MIPS_linkage_name, &attribute));
  frame.is_linkage = name != nullptr;
  if (name == nullptr) name = dwarf_diename(&die);
  if (name != nullptr) frame.function = name;
}

// Without "." and "..", which compilers leave in as they were told the path.
std::string file_name(const char* name, Dwarf_Die& unit) {
  if (name == nullptr) return "";
  std::filesystem::path path(name);
  Dwarf_Attribute attribute{};
  const char* folder = dwarf_formstring(dwarf_attr(&unit, DW_AT_comp_dir, &attribute));
  if (path.is_relative() && folder != nullptr) path = std::filesystem::path(folder) / path;
  return path.lexically_normal().string();
}

}  // namespace

DebugInfo::DebugInfo(Elf* elf)
    : dwarf_(elf == nullptr ? nullptr : dwarf_begin_elf(elf, DWARF_C_READ, nullptr)),
      line_bytes_left_(kMaxLineProgramBytes) {
  if (dwarf_ == nullptr) return;
  lines_ = contents_of(elf, "debug_line");
  if (!ends_its_strings(elf)) dwarf_.reset();
}

std::vector<SourceFrame> DebugInfo::find(uint64_t vaddr) {
  if (!indexed_) index_units();
  const Range* in_unit = find_range(ranges_, vaddr);
  if (in_unit == nullptr) return {};
  Unit& unit = units_[in_unit->item];
  if (!unit.indexed) index_functions(unit);
  SourceFrame position;
  find_line(unit, vaddr, position);
  const Range* in_function = find_range(unit.ranges, vaddr);
  if (in_function == nullptr) return {std::move(position)};
  Dwarf_Die function = unit.functions[in_function->item];
  Budget budget;
  std::vector<Dwarf_Die> scopes = inlined_calls(function, vaddr, budget);
  scopes.insert(scopes.begin(), function);
  std::vector<SourceFrame> frames;
  for (size_t i = scopes.size(); i-- > 0;) {
    SourceFrame frame = std::move(position);
    name_function(scopes[i], frame);
    frames.push_back(std::move(frame));
    position = i > 0 ? call_position(unit, scopes[i]) : SourceFrame{};
  }
  return frames;
}

void DebugInfo::index_units() {
  indexed_ = true;
  Budget budget;
  Dwarf_CU* unit = nullptr;
  uint8_t type = 0;
  Dwarf_Die die{};
  while (dwarf_ != nullptr && budget.spend() &&
         dwarf_get_units(dwarf_.get(), unit, &unit, nullptr, &type, &die, nullptr) == 0) {
    if (type != DW_UT_compile) continue;
    const size_t item = units_.size();
    visit_ranges(&die, budget, [&](uint64_t low, uint64_t high) {
      if (ranges_.size() < kMaxRanges) ranges_.push_back({low, high, item});
    });
    units_.emplace_back().die = die;
  }
  std::ranges::sort(ranges_, {}, &Range::low);
}

void DebugInfo::index_functions(Unit& unit) {
  unit.indexed = true;
  Budget budget;
  visit_entries(unit.die, budget, [&](Dwarf_Die& die) {
    const int tag = dwarf_tag(&die);
    if (tag == DW_TAG_subprogram) {
      const size_t item = unit.functions.size();
      bool has_code = false;
      visit_ranges(&die, budget, [&](uint64_t low, uint64_t high) {
        if (unit.ranges.size() >= kMaxRanges) return;
        unit.ranges.push_back({low, high, item});
        has_code = true;
      });
      if (has_code) unit.functions.push_back(die);
    }
    return may_hold_functions(tag);
  });
  std::ranges::sort(unit.ranges, {}, &Range::low);
}

const DebugInfo::Range* DebugInfo::find_range(const std::vector<Range>& ranges, uint64_t vaddr) {
  const auto after = std::ranges::upper_bound(ranges, vaddr, {}, &Range::low);
  if (after == ranges.begin()) return nullptr;
  const Range& range = *std::prev(after);
  return vaddr < range.high ? &range : nullptr;
}

bool DebugInfo::has_lines(Unit& unit) {
  if (unit.has_lines) return *unit.has_lines;
  const auto bytes = line_program_bytes(unit.die);
  unit.has_lines = bytes && *bytes <= line_bytes_left_;
  if (*unit.has_lines) line_bytes_left_ -= *bytes;
  return *unit.has_lines;
}

std::optional<uint64_t> DebugInfo::line_program_bytes(Dwarf_Die& unit) const {
  Dwarf_Attribute attribute{};
  Dwarf_Word offset = 0;
  if (dwarf_formudata(dwarf_attr(&unit, DW_AT_stmt_list, &attribute), &offset) != 0) return {};
  uint32_t bytes = 0;
  if (offset > lines_.size() || lines_.size() - offset < sizeof(bytes)) return {};
  std::memcpy(&bytes, lines_.data() + offset, sizeof(bytes));
  return bytes;
}

void DebugInfo::find_line(Unit& unit, uint64_t vaddr, SourceFrame& frame) {
  if (!has_lines(unit)) return;
  Dwarf_Line* line = dwarf_getsrc_die(&unit.die, vaddr);
  int number = 0;
  if (line == nullptr || dwarf_lineno(line, &number) != 0 || number <= 0) return;
  frame.line = static_cast<uint32_t>(number);
  frame.file = file_name(dwarf_linesrc(line, nullptr, nullptr), unit.die);
}

SourceFrame DebugInfo::call_position(Unit& unit, Dwarf_Die& inlined) {
  SourceFrame frame;
  Dwarf_Files* files = nullptr;
  size_t count = 0;
  if (!has_lines(unit) || dwarf_getsrcfiles(&unit.die, &files, &count) != 0) return frame;
  const uint32_t file = number_of(inlined, DW_AT_call_file);
  if (file >= count) return frame;
  frame.line = number_of(inlined, DW_AT_call_line);
  frame.file = file_name(dwarf_filesrc(files, file, nullptr, nullptr), unit.die);
  return frame;
}

}  // namespace mapscope
