// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry points, whose names are its own.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "tests/fuzz/support/fuzz_target.h"

namespace mapscope::test {
namespace {

int write_seeds(const std::filesystem::path& directory) {
  for (const auto& [name, bytes] : make_seeds()) {
    std::ofstream file(directory / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (file.flush()) continue;
    std::perror((directory / name).c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace mapscope::test

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && std::string_view((*argv)[1]) == "--write-seeds")
    std::exit(mapscope::test::write_seeds((*argv)[2]));
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mapscope::test::feed({data, size});
  return 0;
}
