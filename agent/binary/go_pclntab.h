// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_pclntab.h – the table by which the Go runtime finds a function, its name, its
// files and lines.
//
// In:      bytes that may be anything; every offset is checked against the table's end.
// Errors:  an entry that leads outside the table gives nothing.
// Threads: as ImageBytes.   Owns: nothing; the ImageBytes must outlive it.
// Source:  runtime/symtab.go and cmd/link/internal/ld/pcln.go of go1.15, 1.16, 1.18, 1.20 and 1.26.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/binary/image_bytes.h"

namespace mapscope {

// By the first version that writes it.
enum class PclntabFormat { kGo12, kGo116, kGo118, kGo120 };

// The runtime's _func, with the offsets it holds still relative.
struct GoFunctionRecord {
  uint64_t entry = 0;      // link-time address
  uint64_t pc_data = 0;    // address of npcdata u32 offsets into the pc-value tables
  uint64_t func_data = 0;  // address of nfuncdata entries
  uint32_t name = 0;
  uint32_t pcsp = 0;
  uint32_t pcfile = 0;
  uint32_t pcln = 0;
  uint32_t npcdata = 0;
  uint32_t compilation_unit = 0;  // first of its files in the cutab; 0 before 1.16
  uint8_t nfuncdata = 0;
};

class GoPclntab {
 public:
  static constexpr size_t kMaxFunctions = 4'000'000;
  static constexpr size_t kMaxNameBytes = 64 << 10;

  // The table at an address, at most `max_bytes` long; nullopt when there is none, or it
  // contradicts itself.
  static std::optional<GoPclntab> read(const ImageBytes& bytes, uint64_t vaddr, uint64_t max_bytes);
  // nullopt: not one of those known here.
  static std::optional<PclntabFormat> format_of_magic(uint32_t magic);

  [[nodiscard]] PclntabFormat format() const { return format_; }
  [[nodiscard]] uint64_t vaddr() const { return vaddr_; }
  [[nodiscard]] uint64_t end() const { return end_; }
  // What the header says about itself, to be compared with the module data: the base of relative
  // addresses (0 unknown), where the names and where the function table start.
  [[nodiscard]] uint64_t header_text() const { return header_text_; }
  [[nodiscard]] uint64_t names() const { return names_; }
  [[nodiscard]] uint64_t functions() const { return functions_; }
  [[nodiscard]] uint64_t pc_values() const { return pc_values_; }
  // What relative addresses are relative to, and where the last function ends. Must be called
  // before anything below.
  void set_text(uint64_t text, uint64_t text_end);

  [[nodiscard]] size_t function_count() const { return count_; }
  // First address of a function; of index function_count(): where the last one ends.
  [[nodiscard]] std::optional<uint64_t> entry(size_t index) const;
  // The function that holds an address.
  [[nodiscard]] std::optional<size_t> find(uint64_t pc) const;
  [[nodiscard]] std::optional<GoFunctionRecord> record(size_t index) const;
  // Never "".
  [[nodiscard]] std::optional<std::string> name(uint32_t offset) const;
  // `number`: a value of the pcfile table.
  [[nodiscard]] std::optional<std::string> file(const GoFunctionRecord& record,
                                                uint32_t number) const;

 private:
  explicit GoPclntab(const ImageBytes& bytes) : bytes_(&bytes) {}
  bool read_go12();
  bool read_go116();
  bool read_functions();
  [[nodiscard]] bool has_relative_entries() const { return format_ >= PclntabFormat::kGo118; }
  [[nodiscard]] uint64_t entry_bytes() const { return has_relative_entries() ? 8 : 16; }
  [[nodiscard]] std::optional<std::string> text(uint64_t base, uint64_t offset) const;

  const ImageBytes* bytes_;
  PclntabFormat format_ = PclntabFormat::kGo120;
  uint64_t vaddr_ = 0;
  uint64_t end_ = 0;
  size_t count_ = 0;
  uint64_t header_text_ = 0;
  uint64_t text_ = 0;
  uint64_t text_end_ = 0;
  uint64_t names_ = 0;
  uint64_t units_ = 0;  // cutab
  uint64_t files_ = 0;
  uint64_t pc_values_ = 0;
  uint64_t functions_ = 0;  // functab
  uint64_t records_ = 0;    // what a functab entry's offset is relative to
};

}  // namespace mapscope
