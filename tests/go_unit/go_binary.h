// SPDX-License-Identifier: Apache-2.0
// tests/go_unit/go_binary.h – the real Go programs that tests read: built beforehand into
// MAPSCOPE_GO_FIXTURES/<Go version>/<build>/<program>.
#pragma once

#include <string>
#include <vector>

#include "agent/binary/program.h"

namespace mapscope::test {

struct GoBinary {
  std::string version;  // "1.27"
  std::string build;    // "plain", "pie-lld", "v3-pgo" …: tests/go/build lists them
  std::string program;  // "grow"
  std::string path;

  [[nodiscard]] int minor() const;
  [[nodiscard]] bool has_profile() const { return build.find("pgo") != std::string::npos; }
};

// MAPSCOPE_GO_FIXTURES; "" when it is not set.
std::string go_fixture_root();

// Those of one build and of one program, "" for all. Fails the test when there are none, which is
// also so when the variable is not set.
std::vector<GoBinary> go_binaries(const std::string& build, const std::string& program);

// Aborts when the file cannot be opened as a Go program: nothing can be tested then.
Program open_go_program(const std::string& path);

// By address.
std::vector<GoFunction> all_functions(const GoProgram& program);

}  // namespace mapscope::test
