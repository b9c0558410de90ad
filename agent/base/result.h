// SPDX-License-Identifier: Apache-2.0
// agent/base/result.h – the value of an operation that can fail, or why it failed.
//
// Error text names the object (path, pid, symbol) and is written where errno is known; it is one
// line, starts in lower case and says what to do when the user can do something. It is logged once,
// where it is handled, never on the way.
//
//   Result<ElfImage> image = ElfImage::open(path);
//   if (!image) return std::move(image).error();
//   use(*image);
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace mapscope {

// Who can mend it decides the exit code: usage is the caller's mistake (2), all others are 1.
enum class ErrorKind { kUsage, kNotFound, kPermission, kUnsupported, kCorrupt, kSystem };

struct Error {
  ErrorKind kind = ErrorKind::kSystem;
  std::string text;
  // One word of a fixed list for metrics, where the kind alone says too little; static storage.
  std::string_view label{};
};

// "object: strerror(errno_value)" with the kind that fits the number (EPERM, EACCES: permission;
// ENOENT, ESRCH: not found).
[[nodiscard]] Error system_error(std::string object, int errno_value);

// REQUIRES: value() and operator* only when ok, error() only when not; breaking that aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return value;`
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): `return Error{…};`
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return require_value(); }
  const T& value() const& { return const_cast<Result*>(this)->require_value(); }
  T&& value() && { return std::move(require_value()); }
  T& operator*() & { return require_value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(require_value()); }
  T* operator->() { return &require_value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    if (ok()) std::abort();
    return std::get<1>(state_);
  }
  Error&& error() && {
    if (ok()) std::abort();
    return std::get<1>(std::move(state_));
  }

 private:
  T& require_value() {
    if (!ok()) std::abort();
    return std::get<0>(state_);
  }

  std::variant<T, Error> state_;
};

// Success without a value.
struct Done {};
using Status = Result<Done>;

}  // namespace mapscope
