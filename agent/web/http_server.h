// SPDX-License-Identifier: Apache-2.0
// agent/web/http_server.h – answers GET and HEAD over HTTP/1.1, with TLS and passwords as
// configured, and lets no client hold up another.
//
// One thread serves all connections and waits for none of them. Everything that a client can take
// has an end: 10 s until its request is complete, whatever it sends meanwhile; 16 KiB of head; 30 s
// to take the answer; kMaxConnections connections, of which the oldest without a request makes room
// for a new one; `max_answers` answers being sent, of which the oldest makes room. So a new
// client always gets in. One request a connection. Passwords are checked on a thread of its own;
// while too many wait for that, who has not been let in before is told to come again (503).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/web/http_message.h"
#include "agent/web/listeners.h"
#include "agent/web/web_settings.h"

namespace mapscope {

class HttpServer {
 public:
  static constexpr size_t kMaxConnections = 512;
  // Called from the server's thread for requests that may be answered: GET or HEAD, of somebody who
  // may ask. What it throws becomes a 500.
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // Serves when it returns. `handler` is used until destruction. The server's threads block every
  // signal.
  static Result<HttpServer> start(std::vector<Listener> listeners,
                                  std::unique_ptr<LiveWebSettings> settings, size_t max_answers,
                                  Handler handler);

  HttpServer(HttpServer&&) noexcept;
  HttpServer& operator=(HttpServer&&) noexcept;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // finishes answers that are being sent, half a second at most

  [[nodiscard]] const std::vector<Listener>& listeners() const;
  [[nodiscard]] const LiveWebSettings& settings() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mapscope
