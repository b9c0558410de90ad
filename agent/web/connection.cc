// SPDX-License-Identifier: Apache-2.0
#include "agent/web/connection.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace mapscope {
namespace {

constexpr auto kHeadTime = std::chrono::seconds(10);  // from the connection to the last header
constexpr auto kAnswerTime = std::chrono::seconds(30);
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr size_t kMostDiscarded = 1UL << 20;
constexpr char kTlsHandshake = 0x16;  // the first byte of every TLS connection

constexpr std::string_view kNotTls =
    "HTTP/1.0 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
    "this port speaks HTTPS\n";

}  // namespace

Connection::Connection(uint64_t id, UniqueFd fd, std::shared_ptr<const WebSettings> settings)
    : id_(id),
      fd_(std::move(fd)),
      settings_(std::move(settings)),
      phase_(settings_->tls ? Phase::kFirstByte : Phase::kHead),
      deadline_(Clock::now() + kHeadTime) {}

bool Connection::expendable() const {
  return phase_ != Phase::kRequested && phase_ != Phase::kSending;
}

void Connection::enter(Phase phase) {
  phase_ = phase;
  events_ = phase == Phase::kSending ? POLLOUT : POLLIN;
  if (phase == Phase::kRequested) events_ = 0;
  if (phase == Phase::kRequested || phase == Phase::kSending)
    deadline_ = Clock::now() + kAnswerTime;
  if (phase == Phase::kLingering) deadline_ = Clock::now() + kLingerTime;
}

void Connection::close() {
  phase_ = Phase::kClosed;
  ssl_.reset();
  fd_.reset();
}

void Connection::advance(short revents) {
  if (phase_ == Phase::kRequested) {
    // Nobody is there any more to read the answer.
    if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) close();
    return;
  }
  is_blocked_ = false;
  while (!is_blocked_ && phase_ != Phase::kRequested && phase_ != Phase::kClosed) step();
}

void Connection::step() {
  switch (phase_) {
    case Phase::kFirstByte:
      return read_first_byte();
    case Phase::kHandshake:
      return shake_hands();
    case Phase::kHead:
      return read_head();
    case Phase::kSending:
      return write_answer();
    case Phase::kLingering:
      return discard();
    case Phase::kRequested:
    case Phase::kClosed:
      return;
  }
}

void Connection::read_first_byte() {
  char first = 0;
  const ssize_t got = ::recv(fd_.get(), &first, 1, MSG_PEEK);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    is_blocked_ = true;
    return;
  }
  if (got <= 0) return close();
  if (first != kTlsHandshake) return send_raw(std::string(kNotTls));
  ssl_ = settings_->tls->accept(fd_.get());
  if (!ssl_) return close();
  enter(Phase::kHandshake);
}

void Connection::shake_hands() {
  ERR_clear_error();
  const int result = SSL_accept(ssl_.get());
  if (result == 1) return enter(Phase::kHead);
  if (blocked_on(result) == Progress::kBlocked) {
    is_blocked_ = true;
    return;
  }
  // The alert that says why is on its way to the client: let it arrive.
  ssl_.reset();
  ::shutdown(fd_.get(), SHUT_WR);
  enter(Phase::kLingering);
}

void Connection::read_head() {
  std::array<char, 4096> buffer{};
  size_t got = 0;
  switch (read_some(buffer.data(), buffer.size(), got)) {
    case Progress::kBlocked:
      is_blocked_ = true;
      return;
    case Progress::kEnded:
      return close();
    case Progress::kMore:
      break;
  }
  input_.append(buffer.data(), got);
  auto head = parse_head(input_);
  if (!head) return;
  head_ = std::move(*head);
  input_ = std::string();
  if (head_.refused == 0) return enter(Phase::kRequested);
  answer({head_.refused, "text/plain; charset=utf-8", "bad request\n"});
}

void Connection::answer(const HttpResponse& response) {
  output_ = serialize(response, settings_->headers, head_.request.method != "HEAD");
  enter(Phase::kSending);
}

void Connection::send_raw(std::string text) {
  output_ = std::move(text);
  enter(Phase::kSending);
}

void Connection::write_answer() {
  while (sent_ < output_.size()) {
    size_t sent = 0;
    const Progress progress = write_some(std::string_view(output_).substr(sent_), sent);
    if (progress == Progress::kEnded) return close();
    if (progress == Progress::kBlocked) {
      is_blocked_ = true;
      return;
    }
    sent_ += sent;
  }
  output_ = std::string();
  if (ssl_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ssl_.reset();
  }
  ::shutdown(fd_.get(), SHUT_WR);
  enter(Phase::kLingering);
}

void Connection::discard() {
  std::array<char, 16384> buffer{};
  const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    is_blocked_ = true;
    return;
  }
  if (got <= 0) return close();
  discarded_ += static_cast<size_t>(got);
  if (discarded_ > kMostDiscarded) close();
}

Connection::Progress Connection::read_some(char* buffer, size_t size, size_t& got) {
  if (ssl_) {
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), buffer, size, &got);
    return result == 1 ? Progress::kMore : blocked_on(result);
  }
  const ssize_t result = ::recv(fd_.get(), buffer, size, 0);
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::kBlocked;
  if (result <= 0) return Progress::kEnded;
  got = static_cast<size_t>(result);
  return Progress::kMore;
}

Connection::Progress Connection::write_some(std::string_view data, size_t& sent) {
  if (ssl_) {
    ERR_clear_error();
    const int result = SSL_write_ex(ssl_.get(), data.data(), data.size(), &sent);
    return result == 1 ? Progress::kMore : blocked_on(result);
  }
  const ssize_t result = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::kBlocked;
  if (result < 0) return Progress::kEnded;
  sent = static_cast<size_t>(result);
  return Progress::kMore;
}

// TLS may have to write in order to read, and the other way round.
Connection::Progress Connection::blocked_on(int ssl_result) {
  const int error = SSL_get_error(ssl_.get(), ssl_result);
  if (error == SSL_ERROR_WANT_READ) events_ = POLLIN;
  if (error == SSL_ERROR_WANT_WRITE) events_ = POLLOUT;
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? Progress::kBlocked
                                                                       : Progress::kEnded;
}

}  // namespace mapscope
