// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/cri/unary_call.h"

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "agent/base/unique_fd.h"

namespace mapscope {
namespace {

using Clock = std::chrono::steady_clock;

// A gRPC message: whether it is compressed, its length as four bytes, the largest first, itself.
constexpr size_t kPrefixBytes = 5;
constexpr std::string_view kStatusOk = "0";
constexpr std::string_view kStatusUnimplemented = "12";
constexpr size_t kMaxReasonBytes = 200;

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return Error{ErrorKind::kUsage, path + ": too long for the path of a socket"};
  path.copy(address.sun_path, path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return system_error("socket", errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return system_error(path, errno);
  return fd;
}

std::string framed(const std::string& message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>((message.size() >> static_cast<unsigned>(shift)) & 0xff);
  return out + message;
}

// One request on one connection. The library keeps the state of HTTP/2 and calls back; bytes are
// moved here.
class Exchange {
 public:
  Exchange(const UnaryCall& call, UniqueFd fd)
      : call_(&call),
        fd_(std::move(fd)),
        deadline_(Clock::now() + call.patience),
        request_(framed(call.message)) {}

  Result<std::string> run() {
    if (!open()) return failure(ErrorKind::kSystem, "no memory for a connection");
    while (!closed_) {
      if (auto moved = send_all(); !moved) return std::move(moved).error();
      if (closed_) break;
      // The library gave the connection up: the other end speaks something else.
      if (nghttp2_session_want_read(session_.get()) == 0) return no_answer();
      if (auto moved = receive(); !moved) return std::move(moved).error();
    }
    return answer();
  }

 private:
  struct SessionDeleter {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  static Exchange& self(void* exchange) { return *static_cast<Exchange*>(exchange); }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/,
                       const uint8_t* name, size_t name_length, const uint8_t* value,
                       size_t value_length, uint8_t /*flags*/, void* exchange) {
    const std::string_view key(reinterpret_cast<const char*>(name), name_length);
    const std::string_view text(reinterpret_cast<const char*>(value),
                                std::min(value_length, kMaxReasonBytes));
    if (key == ":status") self(exchange).http_status_ = text;
    if (key == "grpc-status") self(exchange).grpc_status_ = text;
    if (key == "grpc-message") self(exchange).reason_ = text;
    return 0;
  }

  static int on_data(nghttp2_session* /*session*/, uint8_t /*flags*/, int32_t /*stream*/,
                     const uint8_t* data, size_t length, void* exchange) {
    std::string& body = self(exchange).body_;
    if (length > UnaryCall::kMaxAnswerBytes - body.size()) return NGHTTP2_ERR_CALLBACK_FAILURE;
    body.append(reinterpret_cast<const char*>(data), length);
    return 0;
  }

  static int on_close(nghttp2_session* /*session*/, int32_t /*stream*/, uint32_t error,
                      void* exchange) {
    self(exchange).closed_ = true;
    self(exchange).stream_error_ = error;
    return 0;
  }

  static ssize_t read_request(nghttp2_session* /*session*/, int32_t /*stream*/, uint8_t* out,
                              size_t room, uint32_t* flags, nghttp2_data_source* /*source*/,
                              void* exchange) {
    std::string& left = self(exchange).request_;
    const size_t length = left.copy(reinterpret_cast<char*>(out), room);
    left.erase(0, length);
    if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(length);
  }

  bool open() {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
    const std::unique_ptr<nghttp2_session_callbacks, decltype(&nghttp2_session_callbacks_del)>
        owner(callbacks, &nghttp2_session_callbacks_del);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session* session = nullptr;
    if (nghttp2_session_client_new(&session, callbacks, this) != 0) return false;
    session_.reset(session);
    const nghttp2_settings_entry no_push = {NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    return nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &no_push, 1) == 0 && submit();
  }

  bool submit() {
    const std::array<std::pair<std::string_view, std::string_view>, 6> fields = {
        {{":method", "POST"},
         {":scheme", "http"},
         {":path", call_->method},
         {":authority", "localhost"},
         {"content-type", "application/grpc"},
         {"te", "trailers"}}};
    std::array<nghttp2_nv, fields.size()> headers{};
    for (size_t i = 0; i < fields.size(); ++i) {
      const auto& [name, value] = fields[i];
      // The library copies them; its type only lacks the const.
      headers[i] = {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                    value.size(), NGHTTP2_NV_FLAG_NONE};
    }
    nghttp2_data_provider body{};
    body.read_callback = read_request;
    return nghttp2_submit_request(session_.get(), nullptr, headers.data(), headers.size(), &body,
                                  nullptr) >= 0;
  }

  Status send_all() {
    while (true) {
      const uint8_t* bytes = nullptr;
      ssize_t left = nghttp2_session_mem_send(session_.get(), &bytes);
      if (left < 0) return failure(ErrorKind::kCorrupt, nghttp2_strerror(static_cast<int>(left)));
      if (left == 0) return Done{};
      while (left > 0) {
        const ssize_t sent = ::send(fd_.get(), bytes, static_cast<size_t>(left), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) return system_error(call_->socket, errno);
        if (sent < 0) {
          if (auto waited = wait(POLLOUT); !waited) return waited;
          continue;
        }
        bytes += sent;
        left -= sent;
      }
    }
  }

  Status receive() {
    if (auto waited = wait(POLLIN); !waited) return waited;
    std::array<uint8_t, 16384> bytes;
    const ssize_t length = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return Done{};
    if (length < 0) return system_error(call_->socket, errno);
    if (length == 0) return failure(ErrorKind::kCorrupt, "closed the connection without an answer");
    const ssize_t taken =
        nghttp2_session_mem_recv(session_.get(), bytes.data(), static_cast<size_t>(length));
    if (taken < 0) return no_answer();
    return Done{};
  }

  Status wait(short event) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    if (left <= 0) {
      return failure(ErrorKind::kSystem,
                     "no answer within " + std::to_string(call_->patience.count()) + " ms");
    }
    std::array<pollfd, 2> wanted{{{fd_.get(), event, 0}, {call_->stop_fd, POLLIN, 0}}};
    ::poll(wanted.data(), wanted.size(), static_cast<int>(left));
    if (wanted[1].revents != 0) return failure(ErrorKind::kSystem, "given up");
    return Done{};
  }

  Result<std::string> answer() const {
    if (grpc_status_ == kStatusUnimplemented)
      return failure(ErrorKind::kUnsupported, "does not know " + call_->method);
    if (!grpc_status_.empty() && grpc_status_ != kStatusOk)
      return failure(ErrorKind::kSystem, "refused: " + (reason_.empty() ? grpc_status_ : reason_));
    if (stream_error_ != NGHTTP2_NO_ERROR || http_status_ != "200" || grpc_status_.empty())
      return no_answer();
    if (body_ != framed(body_.substr(std::min(body_.size(), kPrefixBytes))))
      return failure(ErrorKind::kCorrupt, "answers with what is not one gRPC message");
    return body_.substr(kPrefixBytes);
  }

  [[nodiscard]] Error no_answer() const {
    return failure(ErrorKind::kCorrupt, "does not answer as a gRPC server does");
  }

  [[nodiscard]] Error failure(ErrorKind kind, const std::string& what) const {
    return {kind, call_->socket + ": " + what};
  }

  const UnaryCall* call_;
  UniqueFd fd_;
  Clock::time_point deadline_;
  std::unique_ptr<nghttp2_session, SessionDeleter> session_;
  std::string request_;  // what is not sent yet
  std::string body_;
  std::string http_status_;
  std::string grpc_status_;
  std::string reason_;
  uint32_t stream_error_ = 0;
  bool closed_ = false;
};

}  // namespace

Result<std::string> call(const UnaryCall& call) {
  auto fd = connect_to(call.socket);
  if (!fd) return std::move(fd).error();
  return Exchange(call, std::move(*fd)).run();
}

}  // namespace mapscope
