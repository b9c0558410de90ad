// SPDX-License-Identifier: Apache-2.0
// tests/support/go_shape.h – one of the functions of tests/fixtures/cxx/go_shapes.c as the first
// function of a Go program, with the two behind it that it calls.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/program.h"
#include "tests/support/go_image.h"

namespace mapscope::test {

// `version`: as for make_go_image(). `spoil` gets the code of the shape before it is put in.
Result<Program> make_go_shape(const std::string& shape, GoNames names,
                              const std::string& version = "go1.23.5",
                              const std::function<void(std::vector<std::byte>*)>& spoil = nullptr);

}  // namespace mapscope::test
