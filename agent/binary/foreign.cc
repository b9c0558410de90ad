// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/foreign.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace mapscope {
namespace {

// The kernel reads no more of a script's first line.
constexpr size_t kMaxFirstLine = 256;

// UPX writes its mark behind the program headers and leaves no sections.
bool is_packed(const ElfImage& image) {
  if (image.has_sections()) return false;
  Elf64_Ehdr header{};
  const int fd = image.descriptor().get();
  if (pread(fd, &header, sizeof(header), 0) != sizeof(header)) return false;
  std::array<char, 64> bytes{};
  const uint64_t behind = header.e_phoff + uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (behind > INT64_MAX) return false;
  const ssize_t got = pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(behind));
  return got > 0 && std::string_view(bytes.data(), static_cast<size_t>(got)).find("UPX!") !=
                        std::string_view::npos;
}

bool has_any(const ElfImage& image, std::initializer_list<std::string_view> functions) {
  return std::any_of(functions.begin(), functions.end(), [&](std::string_view function) {
    return image.find_function(function).has_value();
  });
}

}  // namespace

std::optional<Error> foreign_program(const ElfImage& image) {
  const auto error = [&](const std::string& what, std::string_view label) {
    return Error{ErrorKind::kUnsupported, image.name() + ": " + what, label};
  };
  if (is_packed(image))
    return error("packed by UPX, its code is not in the file; unpack it (upx -d)", "packed");
  if (has_any(image, {"__go_init_main"}))
    return error("built by gccgo, whose maps are not known; only those of the Go toolchain are",
                 "gccgo");
  if (has_any(image,
              {"tinygo_getCurrentStackPointer", "tinygo_scanCurrentStack", "runtime.hashmapMake"}))
    return error("built by TinyGo, whose maps are not known; only those of the Go toolchain are",
                 "tinygo");
  return std::nullopt;
}

std::string script_of(const UniqueFd& fd) {
  std::array<char, kMaxFirstLine> bytes{};
  const ssize_t got = pread(fd.get(), bytes.data(), bytes.size(), 0);
  if (got < 3 || bytes[0] != '#' || bytes[1] != '!') return "";
  std::string_view line(bytes.data() + 2, static_cast<size_t>(got) - 2);
  line = line.substr(0, line.find('\n'));
  while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
  while (line.ends_with(' ') || line.ends_with('\t') || line.ends_with('\r')) line.remove_suffix(1);
  return line.empty() ? "" : "a script, run by " + std::string(line);
}

}  // namespace mapscope
