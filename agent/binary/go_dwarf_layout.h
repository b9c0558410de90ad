// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_dwarf_layout.h – where the fields of the runtime's g and m are, by DWARF.
//
// In:      debug information that somebody hostile may have written.
// Limits:  64 MiB of it, expanded; 2 million entries of the runtime's unit. Beyond them it counts
//          as absent.
// Source:  DWARF 4 (up to 1.24) and 5; sections named .zdebug_* (1.15) or compressed.
#pragma once

#include <optional>

#include "agent/binary/elf_image.h"
#include "agent/binary/go_program.h"

namespace mapscope {

// All but g_in_register, which is true; nullopt when there is no debug information, or it lacks one
// of the fields.
std::optional<GoroutineLayout> read_dwarf_layout(const ElfImage& image);

}  // namespace mapscope
