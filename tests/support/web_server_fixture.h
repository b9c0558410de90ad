// SPDX-License-Identifier: Apache-2.0
// The real server with a resize, a fatal and a race to show, on a port of its own.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "agent/export/web_server.h"
#include "tests/support/sample_resize.h"

namespace mapscope {

class WebServerTest : public testing::Test {
 protected:
  [[nodiscard]] WebSources sources() {
    return {&metrics_, &sites_, &recent_, &fatals_, &races_, [this] { return not_ready_; }};
  }
  static Result<WebServer> try_start(const std::string& address, const std::string& path,
                                     WebSources sources) {
    WebOptions options;
    options.listen_addresses = {address};
    options.telemetry_path = path;
    auto setup = WebServer::prepare(options);
    if (!setup) return std::move(setup).error();
    return WebServer::start(options, std::move(*setup), std::move(sources));
  }
  WebServer start(const std::string& address = "127.0.0.1:0",
                  const std::string& path = "/metrics") {
    auto server = try_start(address, path, sources());
    if (!server) ADD_FAILURE() << server.error().text;
    return std::move(server).value();
  }
  std::string start_error(const std::string& address, const std::string& path = "/metrics") {
    const auto server = try_start(address, path, sources());
    return server ? "" : server.error().text;
  }

  Sample sample_;
  MetricTable metrics_;
  SiteTable sites_;
  RecentResizes recent_{1000};
  RecentEvents fatals_;
  RecentEvents races_;
  std::string not_ready_;
};

}  // namespace mapscope
