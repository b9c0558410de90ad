// SPDX-License-Identifier: Apache-2.0
// tests/fuzz/support/elf_mutator.h – changes of an ELF file that leave most of it where it is.
//
// What is inserted or erased moves all that follows, and hardly a file that was changed so is
// opened at all. So most changes here replace bytes, inside one table or section, each as often.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mapscope::test {

// As LLVMFuzzerCustomMutator.
size_t mutate_elf(uint8_t* data, size_t size, size_t max_size, unsigned seed);

}  // namespace mapscope::test

// Makes libFuzzer mutate by it; stands in the source of a target.
#define MAPSCOPE_MUTATES_ELF                                                             \
  extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, \
                                            unsigned seed) {                             \
    return mapscope::test::mutate_elf(data, size, max_size, seed);                       \
  }
