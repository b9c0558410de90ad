// SPDX-License-Identifier: Apache-2.0
// agent/discover/cri/unary_call.h – one question to a gRPC server behind a Unix socket, and its
// answer: HTTP/2 without TLS, a connection for each question.
//
// Threads: any, no shared state.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "agent/base/result.h"

namespace mapscope {

struct UnaryCall {
  static constexpr size_t kMaxAnswerBytes = size_t{1} << 20;

  std::string socket;   // path, at most 107 bytes
  std::string method;   // "/package.Service/Method"
  std::string message;  // encoded
  std::chrono::milliseconds patience{2000};
  int stop_fd = -1;  // the call is given up when this can be read; -1: only when patience is over
};

// The encoded answer. Errors name the socket: kUsage (too long a path), kNotFound, kPermission
// (connecting), kUnsupported (no such method), kCorrupt (no gRPC answer, or too large a one),
// kSystem (any other).
Result<std::string> call(const UnaryCall& call);

}  // namespace mapscope
