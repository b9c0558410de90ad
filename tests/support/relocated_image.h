// SPDX-License-Identifier: Apache-2.0
// tests/support/relocated_image.h – the Go program of go_image.h as a linker writes it that leaves
// its addresses to the loader.
#pragma once

#include <cstddef>

#include "tests/support/go_image.h"

namespace mapscope::test {

// As lld links a position-independent program: every word that holds an address is 0 in the file,
// and stands in the table of relocations.
struct RelocatedImage {
  Bytes bytes;
  size_t dynamic_segment = 0;  // its program header
  size_t dynamic = 0;          // DT_RELA, DT_RELASZ, DT_RELAENT, DT_NULL
  size_t table = 0;            // of Elf64_Rela, of 24 bytes
  size_t entries = 0;
};
RelocatedImage relocate(const GoImage& image);

}  // namespace mapscope::test
