// SPDX-License-Identifier: Apache-2.0
// agent/export/web_server.h – /metrics, health, the landing page and the JSON pages, over HTTP.
//
//   GET <telemetry path>      the metrics, Prometheus text format 0.0.4
//   GET /-/healthy            200 "ok"
//   GET /-/ready              200 "ready", or 503 and why not
//   GET /                     for people: expensive sites, fatals, targets, links
//   GET /runbooks/ALERT       for people: what to do when that alert fires (docs/runbooks.md)
//   GET /api/v1/resizes       {"resizes":[…]} newest last; ?limit=N (default: all that are kept)
//   GET /api/v1/fatals        {"fatals":[…]} likewise
//   GET /api/v1/races         {"races":[…]} likewise
//   GET /api/v1/sites         {"sites":[…]} most expensive first; ?limit=N
//   GET /api/v1/targets       {"targets":[…]} likewise
//
// Of all /api/v1 pages, ?process=NAME leaves what is of processes of that name (the metrics'
// label).
//
// HEAD is answered likewise, everything else refused (405, 404, 400 for a bad limit). A request is
// rendered completely before the first byte is sent, so that a slow reader holds no lock. Every
// answer forbids scripts, frames, sniffing and caching. TLS, passwords and what clients may cost:
// agent/web/http_server.h.
// Threads: the sources are used from the server's thread until the server is destroyed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/export/metric_table.h"
#include "agent/export/recent_events.h"
#include "agent/export/recent_resizes.h"
#include "agent/model/site_table.h"
#include "agent/web/listeners.h"
#include "agent/web/web_settings.h"

namespace mapscope {

struct WebOptions {
  std::vector<std::string> listen_addresses = {":9847"};  // "[::1]:0"; port 0: any free one
  std::string telemetry_path = "/metrics";
  bool any_port_if_busy = false;  // then on any free one; for somebody at a terminal
  std::string config_file;        // agent/web/web_config.h; "": plain HTTP for everyone
  bool systemd_socket = false;    // the service manager's sockets instead of addresses
  uint32_t max_requests = 40;     // answers that are being sent at a time
};

// What a server starts from, and may need privileges to get: open ports, certificates, keys.
struct WebSetup {
  std::vector<Listener> listeners;
  std::unique_ptr<LiveWebSettings> settings;
};

// All must outlive the server. Without fatals or races there are none to show.
struct WebSources {
  const MetricTable* metrics = nullptr;
  const SiteTable* sites = nullptr;
  const RecentResizes* recent = nullptr;
  const RecentEvents* fatals = nullptr;
  const RecentEvents* races = nullptr;
  // "" when every requested probe is attached, else why not. Called from the server's threads.
  std::function<std::string()> not_ready;
};

class WebServer {
 public:
  // Listens when it returns. Errors: kUsage for an address, path or configuration that is not one;
  // kSystem and kPermission, e.g. "cannot listen on 127.0.0.1:9847: Address already in use; choose
  // another with --web.listen-address".
  static Result<WebSetup> prepare(const WebOptions& options);
  // Serves when it returns.
  static Result<WebServer> start(const WebOptions& options, WebSetup setup, WebSources sources);

  WebServer(WebServer&&) noexcept;
  WebServer& operator=(WebServer&&) noexcept;
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;
  ~WebServer();

  [[nodiscard]] uint16_t port() const;        // the real one of the first address
  [[nodiscard]] std::string address() const;  // the first: "127.0.0.1:9847", "[::1]:9847", ":9847"
  // One for each address: "http://localhost:9847/metrics" for any; https with TLS as it was at the
  // start.
  [[nodiscard]] std::vector<std::string> metrics_urls() const;

 private:
  struct State;
  explicit WebServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mapscope
