// SPDX-License-Identifier: Apache-2.0
#include "tests/support/go_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <tuple>

namespace mapscope::test {
namespace {

namespace fs = std::filesystem;

// Those with this program.
std::vector<GoFixture> find_fixtures(std::initializer_list<const char*> builds,
                                     const char* program) {
  std::vector<GoFixture> found;
  const char* root = std::getenv("MAPSCOPE_GO_FIXTURES");
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root == nullptr ? "" : root, ignored)) {
    const std::string version = entry.path().filename();
    for (const char* build : builds) {
      const fs::path directory = entry.path() / build;
      if (version.starts_with("1.") && fs::exists(directory / program))
        found.push_back({version, build, directory});
    }
  }
  std::sort(found.begin(), found.end(), [](const GoFixture& a, const GoFixture& b) {
    return std::tuple(a.minor(), a.build) < std::tuple(b.minor(), b.build);
  });
  return found;
}

}  // namespace

int GoFixture::minor() const { return version.size() < 3 ? 0 : std::atoi(version.c_str() + 2); }

bool GoFixture::has_classic_maps() const { return minor() < 24 || build == "noswissmap"; }

std::string GoFixture::test_name() const {
  std::string name = version + "_" + build;
  std::replace(name.begin(), name.end(), '.', '_');
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

const std::vector<GoFixture>& go_fixtures() {
  static const std::vector<GoFixture> all = [] {
    auto found = find_fixtures({"plain", "stripped", "pie", "pie-lld", "pie-relr", "pgo",
                                "pgo-small", "v3", "v3-pgo", "noswissmap"},
                               "grow");
    if (found.empty()) found.push_back({"", "no_fixtures", ""});
    return found;
  }();
  return all;
}

std::vector<GoFixture> shared_fixtures(const char* program) {
  return find_fixtures({"shared"}, program);
}

std::vector<GoFixture> plain_fixtures() {
  std::vector<GoFixture> plain;
  for (const GoFixture& fixture : go_fixtures()) {
    if (fixture.build == "plain" || fixture.version.empty()) plain.push_back(fixture);
  }
  return plain;
}

std::vector<GoFixture> oldest_and_newest() {
  std::vector<GoFixture> plain = plain_fixtures();
  if (plain.size() < 2) return plain;
  return {plain.front(), plain.back()};
}

}  // namespace mapscope::test
