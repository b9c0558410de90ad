// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/debug_info.h – DWARF: a code address to its source lines, through inlining.
//
// Indexes lazily: the ranges of the compilation units at the first look-up, the functions of a unit
// at its first look-up
// (.debug_aranges is not used; clang does not write it). Every walk has a budget of entries, so
// that no file can hold the caller up; what lies beyond the budget is unknown. Split DWARF (.dwo)
// is not followed: it would open files by a name that the target chose. Addresses are link-time.
// Threads: one at a time. Owns: the libdw handle, not the ELF file.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct Elf;

namespace mapscope {

// A function at a source position. Of an inlined call: the caller, at the line of the call.
struct SourceFrame {
  std::string function;  // as in DWARF's linkage name, mangled, or the plain name of a C function;
                         // "" unknown
  std::string file;      // "" unknown
  uint32_t line = 0;     // 0 unknown
  bool is_linkage = false;  // function is a linkage name
};

class DebugInfo {
 public:
  // `elf` must outlive the object. Without debug information every look-up is empty.
  explicit DebugInfo(Elf* elf);

  // Innermost first; the last is the function that contains the address. Empty when unknown.
  std::vector<SourceFrame> find(uint64_t vaddr);

 private:
  struct End {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
  };
  struct Range {
    uint64_t low = 0;
    uint64_t high = 0;
    size_t item = 0;  // of units_ or of a unit's functions
  };
  struct Unit {
    Dwarf_Die die{};
    bool indexed = false;
    std::optional<bool> has_lines;  // nullopt: not asked for yet
    std::vector<Dwarf_Die> functions;
    std::vector<Range> ranges;
  };

  void index_units();
  static void index_functions(Unit& unit);
  // False as well when those of other units have taken what all may take.
  bool has_lines(Unit& unit);
  [[nodiscard]] std::optional<uint64_t> line_program_bytes(Dwarf_Die& unit) const;
  void find_line(Unit& unit, uint64_t vaddr, SourceFrame& frame);
  SourceFrame call_position(Unit& unit, Dwarf_Die& inlined);
  static const Range* find_range(const std::vector<Range>& ranges, uint64_t vaddr);

  std::unique_ptr<Dwarf, End> dwarf_;
  std::span<const unsigned char> lines_;  // .debug_line
  uint64_t line_bytes_left_;
  bool indexed_ = false;
  std::vector<Unit> units_;
  std::vector<Range> ranges_;
};

}  // namespace mapscope
