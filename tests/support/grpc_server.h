// SPDX-License-Identifier: Apache-2.0
// tests/support/grpc_server.h – a gRPC server behind a Unix socket that answers what it is told to,
// right or wrong.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/base/unique_fd.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {

struct GrpcAnswer {
  std::string body;  // as it is sent, prefix and all
  std::vector<std::pair<std::string, std::string>> trailers = {{"grpc-status", "0"}};
  std::string http_status = "200";
};

// A body of one message.
std::string grpc_framed(const std::string& message, bool compressed = false);

class GrpcServer {
 public:
  using Answerer = std::function<GrpcAnswer(const std::string& method, const std::string& request)>;

  explicit GrpcServer(Answerer answer);
  // Speaks no HTTP/2: sends these bytes to whoever connects, then closes.
  explicit GrpcServer(std::string bytes);
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;
  ~GrpcServer();

  [[nodiscard]] const std::string& socket() const { return path_; }

 private:
  void serve(const std::function<void(int fd)>& one);

  TemporaryDirectory directory_;
  std::string path_;
  UniqueFd listener_;
  std::thread thread_;
};

}  // namespace mapscope::test
