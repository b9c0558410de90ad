// SPDX-License-Identifier: Apache-2.0
// tests/fuzz/support/fuzz_target.h – what a source of tests/fuzz defines; libfuzzer.cc does the
// rest: TARGET --write-seeds DIRECTORY writes the seeds, any other arguments are libFuzzer's.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "tests/support/image_file.h"

namespace mapscope::test {

using Input = std::span<const uint8_t>;
using Seeds = std::map<std::string, Bytes>;  // by the name of the file

// Real things of the kind that is parsed, to begin with.
Seeds make_seeds();
// Parses the input and asks the result everything. REQUIRES: nothing; any bytes may come.
void feed(Input input);

// What must hold whatever the input is.
inline void require(bool holds) {
  if (!holds) std::abort();
}

inline std::string_view text_of(Input input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

inline Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace mapscope::test
