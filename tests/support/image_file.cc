// SPDX-License-Identifier: Apache-2.0
#include "tests/support/image_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "agent/base/unique_fd.h"

namespace mapscope::test {

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) std::abort();
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Result<ElfImage> open_image(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error(path, errno);
  return ElfImage::open(fd, path);
}

Result<Program> open_program(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error(path, errno);
  return Program::open(fd, path);
}

namespace {

Result<UniqueFd> memory_file(const Bytes& bytes) {
  UniqueFd fd(memfd_create("image", MFD_CLOEXEC));
  if (!fd.valid()) return system_error("memfd_create", errno);
  if (write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return system_error("write", errno);
  }
  return fd;
}

}  // namespace

Result<ElfImage> open_image_of(const Bytes& bytes) {
  const Result<UniqueFd> fd = memory_file(bytes);
  if (!fd) return fd.error();
  return ElfImage::open(*fd, "image");
}

Result<Program> open_program_of(const Bytes& bytes) {
  const Result<UniqueFd> fd = memory_file(bytes);
  if (!fd) return fd.error();
  return Program::open(*fd, "image");
}

Result<std::optional<GoProgram>> open_go_of(const Bytes& bytes) {
  const Result<ElfImage> image = open_image_of(bytes);
  if (!image) return image.error();
  return GoProgram::open(*image);
}

Elf64_Ehdr header_of_program(uint16_t segments) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phoff = sizeof(header);
  header.e_phnum = segments;
  return header;
}

}  // namespace mapscope::test
