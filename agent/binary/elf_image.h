// SPDX-License-Identifier: Apache-2.0
// agent/binary/elf_image.h – a 64-bit x86-64 ELF program or library: functions, addresses, code
// bytes, build id.
//
// In:      a descriptor of a regular file that somebody hostile may have written and may be
// changing. How:     tables are copied by pread through libelf, code by pread when asked for;
// nothing is mapped, because a mapped
//          file that shrinks kills the reader with SIGBUS.
// Limits:  10 M symbols, 64 MiB of names, 64 KiB a name; beyond them the file is kUnsupported.
// Errors:  kUnsupported (not ELF, not x86-64, not 64-bit, over a limit), kCorrupt (tables that
// contradict the file). Threads: immutable after open(); share freely.   Owns: copies of the tables
// and a duplicate of the descriptor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

namespace mapscope {

struct Symbol {
  std::string_view name;  // as in the file (mangled); lives as long as the image
  uint64_t vaddr = 0;     // link-time address
  uint64_t size = 0;      // 0 when the table does not say
};

// The part of the file that the kernel maps for one PT_LOAD.
struct LoadSegment {
  uint64_t vaddr = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;  // of the file; what the memory has beyond them is zero
  bool executable = false;
  bool writable = false;
};

// A section that is mapped and has bytes in the file.
struct LoadedSection {
  uint64_t vaddr = 0;
  uint64_t bytes = 0;
};

class ElfImage {
 public:
  // `name` is used in messages only. The descriptor may be closed afterwards.
  static Result<ElfImage> open(const UniqueFd& fd, std::string name);

  ElfImage(ElfImage&&) noexcept;
  ElfImage& operator=(ElfImage&&) noexcept;
  ElfImage(const ElfImage&) = delete;
  ElfImage& operator=(const ElfImage&) = delete;
  ~ElfImage();

  [[nodiscard]] const std::string& name() const;
  // A defined function of .symtab or .dynsym by its exact name; a global one goes before a local
  // one. O(log n).
  [[nodiscard]] std::optional<Symbol> find_function(std::string_view name) const;
  // Number of functions with a name; 0 in a stripped static program.
  [[nodiscard]] size_t function_count() const;
  // Up to `max_bytes` of the file at a link-time address inside an executable segment, never beyond
  // its end; empty when there is none or it cannot be read.
  [[nodiscard]] std::vector<std::byte> code(uint64_t vaddr, size_t max_bytes) const;
  // File offset of a link-time address inside an executable segment (what the kernel's uprobes
  // take).
  [[nodiscard]] std::optional<uint64_t> file_offset(uint64_t vaddr) const;
  // As in the file, all inside it; they may overlap. Lives as long as the image.
  [[nodiscard]] std::span<const LoadSegment> load_segments() const;
  // The first one of this name; nullopt also when it lies outside the file.
  [[nodiscard]] std::optional<LoadedSection> find_section(std::string_view section) const;
  // What tells the loader about relocations: PT_DYNAMIC, as in the file; nullopt without one.
  [[nodiscard]] std::optional<LoadedSection> dynamic() const;
  // Whether there are section headers at all; a file needs none to run.
  [[nodiscard]] bool has_sections() const;
  // Lives as long as the image.
  [[nodiscard]] const UniqueFd& descriptor() const;
  // Lower-case hex of the GNU build id; "" without one.
  [[nodiscard]] const std::string& build_id() const;

 private:
  struct Impl;
  explicit ElfImage(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mapscope
