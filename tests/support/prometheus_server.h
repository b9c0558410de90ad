// SPDX-License-Identifier: Apache-2.0
// tests/support/prometheus_server.h – the real Prometheus, prometheus(1), which scrapes every
// second.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/http_client.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {

// An item of scrape_configs; `more` is one or more of its keys, each after ", ".
std::string scrape_job(const std::string& name, uint16_t port, const std::string& more = "");

// Listens on a free port of loopback, which it tells in its log.
class PrometheusServer {
 public:
  // `jobs`: the items of scrape_configs.
  explicit PrometheusServer(const std::string& jobs) : process_(command(directory_, jobs)) {}

  [[nodiscard]] bool await_ready();
  // The value of an expression that has one; -1 while it has none.
  [[nodiscard]] int64_t query(const std::string& expression);
  [[nodiscard]] std::string log() { return process_.err().text(); }
  [[nodiscard]] ChildProcess& process() { return process_; }
  // Unlike the agent it keeps connections open unless asked not to.
  [[nodiscard]] HttpAnswer get(const std::string& path) const;

 private:
  static std::vector<std::string> command(const TemporaryDirectory& directory,
                                          const std::string& jobs);
  uint16_t announced_port();

  TemporaryDirectory directory_;
  ChildProcess process_;
  uint16_t port_ = 0;
};

}  // namespace mapscope::test
