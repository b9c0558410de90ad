// SPDX-License-Identifier: Apache-2.0
#include "agent/export/web_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/base/log.h"
#include "agent/export/page.h"
#include "agent/export/runbooks.h"
#include "agent/export/web_pages.h"
#include "agent/web/http_server.h"

namespace mapscope {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kMetrics = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kCss = "text/css; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kJsonError = "{\"error\":\"limit is not a number\"}\n";
constexpr size_t kNoLimit = SIZE_MAX;
constexpr size_t kEventsOnPage = 10;
constexpr std::string_view kRunbooks = "/runbooks/";

bool has_value(std::string_view query, std::string_view name) {
  return query.starts_with(name) || query.find(fmt::format("&{}", name)) != std::string_view::npos;
}

// The value of ?limit=; kNoLimit without one, nullopt when it is not a number.
std::optional<size_t> limit_of(std::string_view query) {
  if (!has_value(query, "limit")) return kNoLimit;
  const auto text = query_value(query, "limit");
  if (!text) return std::nullopt;
  size_t limit = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, limit);
  if (text->empty() || error != std::errc() || rest != end) return std::nullopt;
  return limit;
}

std::optional<ApiQuery> read_query(std::string_view query) {
  const auto limit = limit_of(query);
  if (!limit) return std::nullopt;
  return ApiQuery{*limit, query_value(query, "process").value_or("")};
}

bool is_telemetry_path(std::string_view path) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-";
  constexpr std::array<std::string_view, 9> kTaken = {"/",
                                                      "/-/healthy",
                                                      "/-/ready",
                                                      "/style.css",
                                                      "/api/v1/resizes",
                                                      "/api/v1/fatals",
                                                      "/api/v1/races",
                                                      "/api/v1/sites",
                                                      "/api/v1/targets"};
  return path.starts_with('/') && path.find_first_not_of(kAllowed) == std::string_view::npos &&
         !path.starts_with(kRunbooks) &&
         std::find(kTaken.begin(), kTaken.end(), path) == kTaken.end();
}

Result<std::vector<Listener>> listen(const WebOptions& options) {
  auto listeners = open_listeners(options.listen_addresses);
  if (listeners || !options.any_port_if_busy || listeners.error().kind != ErrorKind::kSystem)
    return listeners;
  auto others = open_listeners({":0"});
  if (!others) return listeners;
  log_warn("{}; port {} is taken instead", listeners.error().text, others->front().address.port);
  return others;
}

HttpResponse not_found() { return {404, kText, "not found\n"}; }

}  // namespace

struct WebServer::State {
  WebOptions options;
  WebSources sources;
  const LiveWebSettings* settings = nullptr;  // the server's
  bool began_with_tls = false;
  std::optional<HttpServer> server;  // last: its thread uses the others

  [[nodiscard]] HttpResponse answer(const HttpRequest& request) const;
  [[nodiscard]] std::string landing(std::string_view not_ready) const;
  [[nodiscard]] HttpResponse api(std::string_view page, std::string_view query) const;
};

HttpResponse WebServer::State::api(std::string_view page, std::string_view query) const {
  const auto asked = read_query(query);
  if (!asked) return {400, kJson, std::string(kJsonError)};
  const auto events = [&](const RecentEvents* recent) {
    const std::string json = recent == nullptr ? "[]" : recent->json(asked->limit, asked->process);
    return HttpResponse{200, kJson, fmt::format("{{\"{}\":{}}}\n", page, json)};
  };
  if (page == "fatals") return events(sources.fatals);
  if (page == "races") return events(sources.races);
  if (page == "resizes") {
    const std::string json = sources.recent->json(asked->limit, asked->process);
    return {200, kJson, "{\"resizes\":" + json + "}\n"};
  }
  if (page == "sites") return {200, kJson, sites_json(sources.sites->sites(), *asked)};
  if (page == "targets") return {200, kJson, targets_json(sources.metrics->targets(), *asked)};
  return not_found();
}

std::string WebServer::State::landing(std::string_view not_ready) const {
  const auto last = [](const RecentEvents* recent) {
    return recent == nullptr ? std::vector<RecentEvents::Event>() : recent->last(kEventsOnPage);
  };
  const std::string error = settings->reload_error();
  return landing_page({sources.sites->sites(), last(sources.fatals), last(sources.races),
                       sources.metrics->targets(), options.telemetry_path, not_ready, error});
}

HttpResponse WebServer::State::answer(const HttpRequest& request) const {
  constexpr std::string_view kApi = "/api/v1/";
  const std::string_view path = request.path;
  if (path == options.telemetry_path) return {200, kMetrics, sources.metrics->text()};
  if (path == "/-/healthy") return {200, kText, "ok\n"};
  if (path.starts_with(kRunbooks)) {
    auto page = runbook_page(path.substr(kRunbooks.size()));
    return page ? HttpResponse{200, kHtml, std::move(*page)} : not_found();
  }
  if (path.starts_with(kApi)) return api(path.substr(kApi.size()), request.query);
  if (path == "/style.css") return {200, kCss, std::string(style_sheet())};
  if (path != "/" && path != "/-/ready") return not_found();
  const std::string not_ready = sources.not_ready ? sources.not_ready() : "";
  if (path == "/") return {200, kHtml, landing(not_ready)};
  return not_ready.empty() ? HttpResponse{200, kText, "ready\n"}
                           : HttpResponse{503, kText, "not ready: " + not_ready + "\n"};
}

WebServer::WebServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
WebServer::WebServer(WebServer&&) noexcept = default;
WebServer& WebServer::operator=(WebServer&&) noexcept = default;
WebServer::~WebServer() = default;

Result<WebSetup> WebServer::prepare(const WebOptions& options) {
  if (!is_telemetry_path(options.telemetry_path)) {
    return Error{ErrorKind::kUsage, "--web.telemetry-path " + options.telemetry_path +
                                        ": not a free path; use one like /metrics"};
  }
  WebSetup setup;
  auto settings = LiveWebSettings::load(options.config_file);
  if (!settings) return std::move(settings).error();
  setup.settings = std::move(*settings);
  auto listeners = options.systemd_socket ? take_activated_listeners() : listen(options);
  if (!listeners) return std::move(listeners).error();
  setup.listeners = std::move(*listeners);
  return setup;
}

Result<WebServer> WebServer::start(const WebOptions& options, WebSetup setup, WebSources sources) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->sources = std::move(sources);
  state->settings = setup.settings.get();
  state->began_with_tls = setup.settings->current()->tls != nullptr;
  auto server = HttpServer::start(
      std::move(setup.listeners), std::move(setup.settings), options.max_requests,
      [state = state.get()](const HttpRequest& request) { return state->answer(request); });
  if (!server) return std::move(server).error();
  state->server = std::move(*server);
  return WebServer(std::move(state));
}

uint16_t WebServer::port() const { return state_->server->listeners().front().address.port; }

std::string WebServer::address() const {
  return state_->server->listeners().front().address.text();
}

std::vector<std::string> WebServer::metrics_urls() const {
  std::vector<std::string> out;
  for (const Listener& listener : state_->server->listeners()) {
    const ListenAddress& address = listener.address;
    out.push_back(fmt::format("{}://{}{}{}", state_->began_with_tls ? "https" : "http",
                              address.host.empty() ? "localhost" : "", address.text(),
                              state_->options.telemetry_path));
  }
  return out;
}

}  // namespace mapscope
