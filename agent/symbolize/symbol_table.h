// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/symbol_table.h – the functions of .symtab and .dynsym, by address.
//
// Addresses are link-time. Only symbols that contain the address are found: in a stripped file the
// nearest exported name below is somebody else's. Names point into the libelf handles, which must
// outlive the table. Threads: one at a time. Bounds: 10 million functions.
#pragma once

#include <cstdint>
#include <vector>

struct Elf;

namespace mapscope {

class SymbolTable {
 public:
  // Adds the functions of a file.
  void add(Elf* elf);
  // Mangled, as in the file; nullptr when no function contains the address.
  [[nodiscard]] const char* find(uint64_t vaddr);

 private:
  struct Function {
    uint64_t vaddr = 0;
    uint64_t size = 0;
    const char* name = nullptr;
    bool local = false;
  };

  std::vector<Function> functions_;
  bool sorted_ = true;
};

}  // namespace mapscope
