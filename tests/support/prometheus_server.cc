// SPDX-License-Identifier: Apache-2.0
#include "tests/support/prometheus_server.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

// What a query in a URL may not hold as it is.
std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"') out += "%22";
    if (c == '{') out += "%7B";
    if (c == '}') out += "%7D";
    if (c != '"' && c != '{' && c != '}') out += c;
  }
  return out;
}

}  // namespace

std::string scrape_job(const std::string& name, uint16_t port, const std::string& more) {
  return "  - {job_name: " + name +
         ", static_configs: [{targets: ['127.0.0.1:" + std::to_string(port) + "']}]" + more + "}\n";
}

bool PrometheusServer::await_ready() {
  return poll_until([this] {
    if (port_ == 0) port_ = announced_port();
    return port_ != 0 && get("/-/ready").status == 200;
  });
}

int64_t PrometheusServer::query(const std::string& expression) {
  const HttpAnswer answer = get("/api/v1/query?query=" + encoded(expression));
  if (answer.status != 200) return -1;
  const auto result = nlohmann::json::parse(answer.body).at("data").at("result");
  return result.empty() ? -1 : std::stoll(result.at(0).at("value").at(1).get<std::string>());
}

HttpAnswer PrometheusServer::get(const std::string& path) const {
  return http_exchange("127.0.0.1", port_,
                       "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

std::vector<std::string> PrometheusServer::command(const TemporaryDirectory& directory,
                                                   const std::string& jobs) {
  const std::string config = directory / "prometheus.yml";
  std::ofstream(config) << "global: {scrape_interval: 1s}\nscrape_configs:\n" << jobs;
  return {"prometheus", "--config.file=" + config, "--storage.tsdb.path=" + (directory / "data"),
          "--web.listen-address=127.0.0.1:0"};
}

uint16_t PrometheusServer::announced_port() {
  const std::string text = log();
  const std::string words = "msg=\"Listening on\" address=127.0.0.1:";
  const size_t at = text.find(words);
  if (at == std::string::npos || text.find('\n', at) == std::string::npos) return 0;
  return static_cast<uint16_t>(std::stoul(text.substr(at + words.size())));
}

}  // namespace mapscope::test
