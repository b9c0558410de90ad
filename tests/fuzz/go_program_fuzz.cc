// SPDX-License-Identifier: Apache-2.0
// Feeds files to Program and asks every look-up; a crash, a hang, a leak or an allocation that is
// out of proportion to the file is a fault.
//
//   cmake --preset asan && cmake --build build/asan --target go_program_fuzz
//   mkdir -p corpus seeds && build/asan/tests/go_program_fuzz --write-seeds seeds
//   build/asan/tests/go_program_fuzz -max_total_time=300 -timeout=10 -malloc_limit_mb=256 corpus
//   seeds
//
// The seeds are one small program of each table format, and halves of them; add stripped real ones
// (go build -ldflags="-s -w") for the rest, with -max_len=4000000.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "tests/support/go_image.h"
#include "tests/support/go_lookups.h"

namespace mapscope::test {
namespace {

void write_file(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file) std::abort();
}

void write_seeds(const std::filesystem::path& directory) {
  for (const auto& [format, version] : kGoFormats) {
    const GoImage image = make_go_image(format, version);
    const std::span<const uint8_t> all(image.bytes);
    write_file(directory / version, all);
    write_file(directory / (std::string(version) + ".half"), all.first(all.size() / 2));
  }
}

}  // namespace
}  // namespace mapscope::test

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && std::string_view((*argv)[1]) == "--write-seeds") {
    mapscope::test::write_seeds((*argv)[2]);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mapscope::test::ask_everything({data, size});
  return 0;
}
