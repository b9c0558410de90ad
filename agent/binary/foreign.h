// SPDX-License-Identifier: Apache-2.0
// agent/binary/foreign.h – files that hold no map which could be found, for a reason that has a
// name.
//
// In:      files that somebody hostile may have written.   Pure, but for reading a few KiB.
#pragma once

#include <optional>
#include <string>

#include "agent/base/result.h"
#include "agent/binary/elf_image.h"

namespace mapscope {

// A program packed by UPX, or built by gccgo or TinyGo, whose runtimes have maps of their own;
// kUnsupported, labels packed, gccgo, tinygo. nullopt: none of these, as far as its bytes and
// symbols tell.
std::optional<Error> foreign_program(const ElfImage& image);

// Of a file that is no ELF file: "a script, run by /bin/sh"; "" for anything else. The interpreter
// is what the script says and may be any bytes.
std::string script_of(const UniqueFd& fd);

}  // namespace mapscope
