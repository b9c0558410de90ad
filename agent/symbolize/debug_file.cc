// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/debug_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>
#include <vector>

namespace mapscope {
namespace {

std::string to_hex(const std::vector<uint8_t>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::vector<std::string> candidates(const std::string& path, const std::string& build_id,
                                    const std::string& link) {
  const std::string debug_root = "/usr/lib/debug";
  std::vector<std::string> paths{debug_root + "/.build-id/" + build_id.substr(0, 2) + "/" +
                                 build_id.substr(2) + ".debug"};
  const size_t slash = path.rfind('/');
  if (link.empty() || link.find('/') != std::string::npos || slash == std::string::npos)
    return paths;
  const std::string folder = path.substr(0, slash);
  for (const std::string& place : {folder, folder + "/.debug", debug_root + folder}) {
    paths.push_back(std::string(place).append("/").append(link));
  }
  return paths;
}

UniqueFd open_beneath(const UniqueFd& root, const std::string& path) {
  open_how how{};
  // Non-blocking: a pipe of that name must not hold the agent up.
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(
      static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return fd;
}

}  // namespace

Result<DebugFile> open_debug_file(const UniqueFd& root, const std::string& path,
                                  const ElfFile& binary, uint64_t max_debug_bytes) {
  const std::vector<uint8_t> build_id = binary.build_id();
  if (build_id.size() < 2)
    return Error{ErrorKind::kNotFound, path + ": has no build id to find a debug file by"};
  for (const std::string& candidate : candidates(path, to_hex(build_id), binary.debug_link())) {
    UniqueFd fd = open_beneath(root, candidate);
    if (!fd.valid()) continue;
    Result<ElfFile> elf = ElfFile::open(fd.get(), candidate, max_debug_bytes);
    if (elf && elf->build_id() == build_id) return DebugFile{std::move(fd), std::move(*elf)};
  }
  return Error{ErrorKind::kNotFound, path + ": no debug file in its root"};
}

}  // namespace mapscope
