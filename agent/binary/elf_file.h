// SPDX-License-Identifier: Apache-2.0
// agent/binary/elf_file.h – an ELF file opened so that libelf, libdw and libdwfl can be let
// loose on it.
//
// The file may be hostile, and may change while it is open. Nothing is mapped (a truncated file
// would kill the agent by SIGBUS): sections are read when they are first asked for. Sections that
// would make the libraries open further files, or expand without bound, are hidden before anybody
// sees them:
//  - .gnu_debugaltlink, .gnu_debugdata and compressed sections that are not .debug_*: always;
//  - .debug_* and .zdebug_*: when together they expand to more than max_debug_bytes, or it is 0;
//    libdw expands all it sees at once, so those that the caller does not need are hidden too.
//
// Errors:  kUnsupported (not a 64-bit x86-64 ELF file), kCorrupt.
// Threads: one at a time.   Owns: the libelf handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"

struct Elf;

namespace mapscope {

// What the caller reads of DWARF.
enum class DebugSections { kAll, kTypes };

class ElfFile {
 public:
  // Keeps using `fd`, which must stay open as long as the object. `name` is for messages.
  static Result<ElfFile> open(int fd, const std::string& name, uint64_t max_debug_bytes,
                              DebugSections wanted = DebugSections::kAll);
  // The kernel's own library, which is the same in every 64-bit process: taken from this process.
  static Result<ElfFile> open_vdso();

  ElfFile(ElfFile&& other) noexcept;
  ElfFile& operator=(ElfFile&& other) noexcept;
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;
  ~ElfFile();

  [[nodiscard]] Elf* elf() const { return elf_; }
  // A further reference to the same handle, to be given to elf_end().
  [[nodiscard]] Elf* new_reference() const;

  // What to add to a link-time address, given that a mapping of file offset `offset` begins at
  // `start`. nullopt: no executable segment holds that offset.
  [[nodiscard]] std::optional<uint64_t> load_bias(uint64_t start, uint64_t offset) const;
  // Link-time address of the first segment, rounded down to its alignment.
  [[nodiscard]] uint64_t first_vaddr() const;
  // True if there is DWARF that was not hidden.
  [[nodiscard]] bool has_debug_info() const;
  // Bytes of the GNU build id; empty without one.
  [[nodiscard]] std::vector<uint8_t> build_id() const;
  // File name in .gnu_debuglink; "" without one.
  [[nodiscard]] std::string debug_link() const;

 private:
  explicit ElfFile(Elf* elf) : elf_(elf) {}
  Status check_header(const std::string& name) const;
  Status hide_dangerous_sections(const std::string& name, uint64_t max_debug_bytes,
                                 DebugSections wanted);

  std::vector<std::byte> image_;  // of the vdso; empty for files
  Elf* elf_ = nullptr;
};

}  // namespace mapscope
