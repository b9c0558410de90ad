// SPDX-License-Identifier: Apache-2.0
// tests/support/esbuild.h – builds of esbuild (tests/go/esbuild), and modules for them to bundle.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace mapscope::test {

struct Esbuild {
  std::string version;  // its own; "" when there are none: the test that gets it fails
  std::string program;

  // For the name of a test: "0_12_1".
  [[nodiscard]] std::string test_name() const;
};

inline std::ostream& operator<<(std::ostream& out, const Esbuild& esbuild) {
  return out << "esbuild " << esbuild.version;
}

// Those below the directory that MAPSCOPE_ESBUILD names. When there is none it is one without a
// version, so that nothing is skipped in silence.
const std::vector<Esbuild>& esbuilds();

inline constexpr const char* kNoEsbuild =
    "MAPSCOPE_ESBUILD names no directory with builds of esbuild: tests/go/esbuild makes one";

// Writes `count` modules, which import each other, into the directory; the same ones each time.
void write_modules(const std::string& directory, int count);
// What to bundle to get all of them.
std::string import_of_modules(const std::string& directory);

}  // namespace mapscope::test
