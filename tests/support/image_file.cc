// SPDX-License-Identifier: Apache-2.0
#include "tests/support/image_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
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

}  // namespace mapscope::test
