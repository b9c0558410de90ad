// SPDX-License-Identifier: Apache-2.0
#include "tests/support/esbuild.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace mapscope::test {
namespace {

namespace fs = std::filesystem;

// So many names make the maps of a module grow a few times.
constexpr int kFunctions = 40;
constexpr int kImports = 3;

std::vector<Esbuild> find_esbuilds() {
  std::vector<Esbuild> found;
  const char* root = std::getenv("MAPSCOPE_ESBUILD");
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root == nullptr ? "" : root, ignored)) {
    const fs::path program = entry.path() / "esbuild";
    if (fs::exists(program)) found.push_back({entry.path().filename(), fs::canonical(program)});
  }
  std::sort(found.begin(), found.end(),
            [](const Esbuild& a, const Esbuild& b) { return a.version < b.version; });
  if (found.empty()) found.push_back({"", ""});
  return found;
}

void write_module(std::ostream& out, int number, int count) {
  for (int i = 0; i < kImports; ++i) {
    const int other = 2 * number + i + 1;
    if (other < count) {
      out << "import { f" << other << "_0 as g" << i << " } from './m" << other << "';\n";
    } else {
      out << "const g" << i << " = (x: number) => x;\n";
    }
  }
  for (int i = 0; i < kFunctions; ++i) {
    out << "export function f" << number << '_' << i << "(x: number): number { const local" << i
        << " = x * " << i << "; return g" << i % kImports << "(local" << i << "); }\n";
  }
  // Without it nobody needs the functions, and some versions leave them out.
  out << "console.log({";
  for (int i = 0; i < kFunctions; ++i) out << " f" << number << '_' << i << ',';
  out << " });\nexport enum Kind" << number << " { first, second = " << number << " }\n";
}

}  // namespace

std::string Esbuild::test_name() const {
  std::string name = version.empty() ? "none" : version;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

const std::vector<Esbuild>& esbuilds() {
  static const std::vector<Esbuild> all = find_esbuilds();
  return all;
}

void write_modules(const std::string& directory, int count) {
  for (int number = 0; number < count; ++number) {
    std::ofstream out(fs::path(directory) / ("m" + std::to_string(number) + ".ts"));
    write_module(out, number, count);
  }
}

std::string import_of_modules(const std::string& directory) {
  return "import * as all from '" + directory + "/m0';\nconsole.log(all);\n";
}

}  // namespace mapscope::test
