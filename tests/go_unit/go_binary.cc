// SPDX-License-Identifier: Apache-2.0
#include "tests/go_unit/go_binary.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace mapscope::test {

int GoBinary::minor() const { return std::stoi(version.substr(version.find('.') + 1)); }

std::string go_fixture_root() {
  const char* root = std::getenv("MAPSCOPE_GO_FIXTURES");
  return root == nullptr ? "" : root;
}

std::vector<GoBinary> go_binaries(const std::string& build, const std::string& program) {
  std::vector<GoBinary> found;
  const std::string root = go_fixture_root();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root, ignored)) {
    const auto& path = entry.path();
    GoBinary binary{path.parent_path().parent_path().filename(), path.parent_path().filename(),
                    path.filename(), path};
    const bool is_program = entry.is_regular_file() && binary.version.starts_with("1.") &&
                            !binary.program.starts_with('.');
    const bool is_wanted =
        (build.empty() || binary.build == build) && (program.empty() || binary.program == program);
    if (is_program && is_wanted) found.push_back(std::move(binary));
  }
  std::sort(found.begin(), found.end(),
            [](const GoBinary& a, const GoBinary& b) { return a.path < b.path; });
  EXPECT_FALSE(found.empty()) << "no " << build << " build of " << program << " in "
                              << (root.empty() ? "MAPSCOPE_GO_FIXTURES, which is not set" : root)
                              << ": build the Go fixtures first";
  return found;
}

Program open_go_program(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Result<Program> program = Program::open(fd, path);
  if (!program || program->go == nullptr) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(),
                 program ? "not a Go program" : program.error().text.c_str());
    std::abort();
  }
  return std::move(*program);
}

std::vector<GoFunction> all_functions(const GoProgram& program) {
  std::vector<GoFunction> functions;
  auto function = program.find_function("runtime.main");
  // Down to the first one, then up.
  while (function) {
    functions.push_back(*function);
    function = program.function_at(function->vaddr - 1);
  }
  std::reverse(functions.begin(), functions.end());
  while (!functions.empty() &&
         (function = program.function_at(functions.back().vaddr + functions.back().size))) {
    functions.push_back(*function);
  }
  return functions;
}

}  // namespace mapscope::test
