// SPDX-License-Identifier: Apache-2.0
// agent/web/connection.h – one client: its socket, its TLS, one request and one answer.
//
//   kFirstByte → kHandshake → kHead → kRequested → kSending → kLingering → kClosed
//   (TLS only)   (TLS only)           the server's turn
//
// Never blocks. Every phase has a deadline that a slow client cannot move: bytes that come in do
// not start it anew. After the answer the socket is read for a moment, because closing one with
// unread bytes would make the kernel throw away the answer on its way.
// Threads: one.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/unique_fd.h"
#include "agent/web/http_message.h"
#include "agent/web/web_settings.h"

namespace mapscope {

class Connection {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Phase { kFirstByte, kHandshake, kHead, kRequested, kSending, kLingering, kClosed };

  Connection(uint64_t id, UniqueFd fd, std::shared_ptr<const WebSettings> settings);

  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] const std::shared_ptr<const WebSettings>& settings() const { return settings_; }
  [[nodiscard]] Clock::time_point deadline() const { return deadline_; }
  // No request has come yet, or the answer is out: nobody is harmed much when it is closed.
  [[nodiscard]] bool expendable() const;
  [[nodiscard]] pollfd wanted() const { return {fd_.get(), events_, 0}; }

  // Goes as far as the socket lets it. `revents`: what poll() found.
  void advance(short revents);
  // REQUIRES: phase kRequested.
  [[nodiscard]] const HttpRequest& request() const { return head_.request; }
  void answer(const HttpResponse& response);
  void close();

 private:
  enum class Progress { kMore, kBlocked, kEnded };

  void step();
  void read_first_byte();
  void shake_hands();
  void read_head();
  void write_answer();
  void discard();
  void send_raw(std::string text);
  void enter(Phase phase);
  Progress read_some(char* buffer, size_t size, size_t& got);
  Progress write_some(std::string_view data, size_t& sent);
  Progress blocked_on(int ssl_result);

  uint64_t id_;
  UniqueFd fd_;
  std::shared_ptr<const WebSettings> settings_;
  SslPtr ssl_;  // nullptr: plain
  Phase phase_ = Phase::kHead;
  short events_ = POLLIN;
  bool is_blocked_ = false;
  Clock::time_point deadline_;
  std::string input_;
  HttpHead head_;
  std::string output_;
  size_t sent_ = 0;
  size_t discarded_ = 0;
};

}  // namespace mapscope
