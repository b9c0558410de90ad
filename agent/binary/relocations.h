// SPDX-License-Identifier: Apache-2.0
// agent/binary/relocations.h – the words of a file that the loader fills in before a program runs.
//
// Position-independent files list them in DT_RELA, by address and value (R_X86_64_RELATIVE). Go's
// linker and GNU ld write the values into the words as well; lld writes nothing there. In a Go
// plugin words name symbols (R_X86_64_64), and nothing is in place: that of the file itself is
// taken, also where the loader prefers an equal one of the program's. DT_RELR
// lists addresses only: the values are in the words, in any linker's file, and need no doing.
//
// In:      tables that somebody hostile may have written.   Pure, but for reading.
// Limits:  4 M entries are looked at; kMaxRelocations are kept. Words that name a symbol of
//          another file are left as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "agent/binary/elf_image.h"
#include "agent/binary/image_bytes.h"

namespace mapscope {

// Those whose value is not in the file already, by offset. `bytes` without relocations applied.
std::vector<Relocation> read_relocations(const ImageBytes& bytes, const LoadedSection& dynamic);

}  // namespace mapscope
