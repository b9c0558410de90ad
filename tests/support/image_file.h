// SPDX-License-Identifier: Apache-2.0
// tests/support/image_file.h – opens real binaries, and changed copies of them.
#pragma once

#include <elf.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/elf_image.h"
#include "agent/binary/go_program.h"
#include "agent/binary/program.h"

namespace mapscope::test {

using Bytes = std::vector<uint8_t>;

// The whole file. Aborts when it cannot be read: a fixture is missing.
Bytes read_file(const std::string& path);

Result<ElfImage> open_image(const std::string& path);
Result<Program> open_program(const std::string& path);

// An image of a file in memory with these bytes.
Result<ElfImage> open_image_of(const Bytes& bytes);
Result<Program> open_program_of(const Bytes& bytes);
Result<std::optional<GoProgram>> open_go_of(const Bytes& bytes);

// That of a program whose program headers follow it: so many.
Elf64_Ehdr header_of_program(uint16_t segments);

}  // namespace mapscope::test
