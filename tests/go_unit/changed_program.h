// SPDX-License-Identifier: Apache-2.0
// tests/go_unit/changed_program.h – real Go programs with something about them changed: what they
// say of their version, or where their code finds the members of a map.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/binary/program.h"
#include "tests/support/image_file.h"

namespace mapscope::test {

// With every "go1.27" a "go1.28": in the build info and in the runtime's own variable.
Bytes with_newer_version(Bytes file);

// With another version of as many characters in both places.
Bytes with_version(Bytes file, std::string_view from, std::string_view to);

// As the linker writes it when nobody hands it the settings of the build: the version alone.
Bytes without_settings(Bytes file);

// Another displacement in the instructions of `function` that have `text` in them, e.g. "word ptr
// [rax + 2]". Aborts when there are none: the test would test nothing.
Bytes with_displacement(Bytes file, const Program& program, std::string_view function,
                        std::string_view text, int displacement);

}  // namespace mapscope::test
