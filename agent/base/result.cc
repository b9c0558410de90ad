// SPDX-License-Identifier: Apache-2.0
#include "agent/base/result.h"

#include <cerrno>
#include <cstring>

namespace mapscope {
namespace {

ErrorKind kind_of(int errno_value) {
  switch (errno_value) {
    case EPERM:
    case EACCES:
      return ErrorKind::kPermission;
    case ENOENT:
    case ESRCH:
    case ENOTDIR:
      return ErrorKind::kNotFound;
    case ENOTSUP:
    case ENOSYS:
      return ErrorKind::kUnsupported;
    default:
      return ErrorKind::kSystem;
  }
}

}  // namespace

Error system_error(std::string object, int errno_value) {
  return {kind_of(errno_value), std::move(object) + ": " + std::strerror(errno_value)};
}

}  // namespace mapscope
