// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/module.h – one file mapped executable into one process: address → frames.
//
// Keeps the file open from the start, so that it can be read after the process and the file's name
// are gone; parses it only when an address in it is asked for, and can forget what it parsed.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/binary/elf_file.h"
#include "agent/model/resize.h"
#include "agent/symbolize/debug_info.h"
#include "agent/symbolize/memory_map.h"
#include "agent/symbolize/symbol_table.h"

namespace mapscope {

class Module {
 public:
  // `fd` of the mapped file; invalid for the vdso. Errors: not a usable ELF file, or not mapped as
  // its headers say.
  static Result<std::unique_ptr<Module>> open(const ExecutableMapping& mapping, UniqueFd fd);

  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  Module(Module&&) = delete;
  Module& operator=(Module&&) = delete;
  ~Module() = default;

  // A further mapping of the same file: true if it belongs to this module, which then covers it.
  bool absorb(const ExecutableMapping& mapping);
  [[nodiscard]] bool contains(uint64_t address) const {
    return start_ <= address && address < end_;
  }

  // Appends the frames of a code address, innermost first, at least one: inlined calls, then the
  // function. `frame.address` is the address given. `root` is where the separate debug file is
  // looked for.
  void append_frames(uint64_t address, const UniqueFd& root, uint64_t max_debug_bytes,
                     std::vector<Frame>& frames);
  // Frees symbols and debug information until they are needed again.
  void forget();

  [[nodiscard]] const ElfFile& elf() const { return elf_; }
  // A reference for libdwfl, to be given to elf_end(): without an unwind table that would harm it.
  [[nodiscard]] Elf* elf_to_unwind_by();
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] uint64_t dev() const { return dev_; }
  [[nodiscard]] uint64_t inode() const { return inode_; }
  [[nodiscard]] uint64_t bias() const { return bias_; }
  [[nodiscard]] uint64_t start() const { return start_; }  // of the first executable mapping
  [[nodiscard]] uint64_t end() const { return end_; }      // of the last

 private:
  // What was parsed. Members are destroyed from the last to the first, as they point into one
  // another.
  struct Parsed {
    UniqueFd debug_fd;
    std::unique_ptr<ElfFile> debug_elf;
    std::unique_ptr<DebugInfo> debug_info;
    SymbolTable symbols;
  };

  Module(const ExecutableMapping& mapping, UniqueFd fd, ElfFile elf, uint64_t bias);
  void parse(const UniqueFd& root, uint64_t max_debug_bytes);

  std::string path_;
  uint64_t dev_;
  uint64_t inode_;
  UniqueFd fd_;
  ElfFile elf_;  // without debug sections: for unwinding and symbols
  bool unwind_table_guarded_ = false;
  uint64_t bias_;
  uint64_t start_;
  uint64_t end_;
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace mapscope
