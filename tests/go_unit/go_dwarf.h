// SPDX-License-Identifier: Apache-2.0
// tests/go_unit/go_dwarf.h – what DWARF says about a Go program that has it: the truth that the
// runtime's tables are held against.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/base/unique_fd.h"
#include "agent/binary/elf_file.h"
#include "agent/binary/go_program.h"

namespace mapscope::test {

class GoDwarf {
 public:
  // Aborts when there is none.
  explicit GoDwarf(const std::string& path);

  // Map types by the address of their descriptor. group_bytes is 0: DWARF does not know it.
  std::map<uint64_t, GoMapType> map_types();
  // Bytes from the stack pointer to the return address, by the call frame information.
  std::optional<uint64_t> stack_depth(uint64_t vaddr);

  [[nodiscard]] Elf* elf() const { return file_.elf(); }

 private:
  struct Close {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
  };

  UniqueFd fd_;
  ElfFile file_;
  std::unique_ptr<Dwarf, Close> dwarf_;
};

}  // namespace mapscope::test
