// SPDX-License-Identifier: Apache-2.0
// tests/support/go_fixture.h – the Go programs that tests/go/build has built, one set for each
// toolchain and way of building.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace mapscope::test {

struct GoFixture {
  std::string version;  // "1.27"; "" when there are none: the test that gets it fails
  std::string
      build;  // plain, stripped, pie, pie-lld, pie-relr, pgo, pgo-small, v3, v3-pgo, noswissmap
  std::string directory;

  [[nodiscard]] std::string program(const std::string& name) const {
    return directory + "/" + name;
  }
  [[nodiscard]] int minor() const;
  // Go's first map, until 1.23 and on request until 1.25.
  [[nodiscard]] bool has_classic_maps() const;
  // For the name of a test: "1_27_pie".
  [[nodiscard]] std::string test_name() const;
};

inline std::ostream& operator<<(std::ostream& out, const GoFixture& fixture) {
  return out << "go" << fixture.version << ' ' << fixture.build;
}

// Every set below the directory that MAPSCOPE_GO_FIXTURES names, oldest version first. When there
// is none it is one without a version, so that nothing is skipped in silence.
const std::vector<GoFixture>& go_fixtures();
// The oldest and the newest, built plainly.
std::vector<GoFixture> oldest_and_newest();
// One for each version, built plainly.
std::vector<GoFixture> plain_fixtures();
// Where there is a program that another one loads: library.so for one in C, or plugin.so for
// pluginhost. Oldest version first.
std::vector<GoFixture> shared_fixtures(const char* program);

// What to say when fixture.version is empty.
inline constexpr const char* kNoGoFixtures =
    "MAPSCOPE_GO_FIXTURES names no directory with Go programs: tests/go/build makes one";

}  // namespace mapscope::test
