// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_build_info.h – which Go built a program, and how: the record that the linker
// leaves in every program and that stripping keeps.
//
// Source: debug/buildinfo of go1.15 (two pointers to strings) and go1.18 (the strings themselves).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/binary/elf_image.h"
#include "agent/binary/go_program.h"
#include "agent/binary/image_bytes.h"

namespace mapscope {

// nullopt: there is no build info. A result with text "" and version 0.0.0: there is one, but it
// cannot be read. Found by its section; only a file without section headers is searched.
std::optional<GoBuild> read_go_build(const ElfImage& image, const ImageBytes& bytes);

// Sets text, version and the experiments that the text names.
void set_go_version(GoBuild* build, std::string text);

// "go1.24.4", "go1.24rc1", "go1.24.4 X:noswissmap", "devel go1.28-abcdef"; nullopt when the text
// names no release ("devel +abcdef").
std::optional<GoVersion> parse_go_version(std::string_view text);

}  // namespace mapscope
