// SPDX-License-Identifier: Apache-2.0
#include "tests/support/grpc_server.h"

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace mapscope::test {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

std::vector<nghttp2_nv> to_headers(const Fields& fields) {
  std::vector<nghttp2_nv> headers;
  headers.reserve(fields.size());
  for (const auto& [name, value] : fields) {
    headers.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                       reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                       value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return headers;
}

// One connection, until the client closes it.
class Session {
 public:
  Session(int fd, const GrpcServer::Answerer& answer) : fd_(fd), answer_(&answer) {}

  void run() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session* session = nullptr;
    nghttp2_session_server_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
    std::array<uint8_t, 4096> bytes;
    while (send_all(session)) {
      const ssize_t length = ::recv(fd_, bytes.data(), bytes.size(), 0);
      if (length <= 0) break;
      if (nghttp2_session_mem_recv(session, bytes.data(), static_cast<size_t>(length)) < 0) break;
    }
    nghttp2_session_del(session);
  }

 private:
  static Session& self(void* session) { return *static_cast<Session*>(session); }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/,
                       const uint8_t* name, size_t name_length, const uint8_t* value,
                       size_t value_length, uint8_t /*flags*/, void* user) {
    if (std::string_view(reinterpret_cast<const char*>(name), name_length) == ":path")
      self(user).method_.assign(reinterpret_cast<const char*>(value), value_length);
    return 0;
  }

  static int on_data(nghttp2_session* /*session*/, uint8_t /*flags*/, int32_t /*stream*/,
                     const uint8_t* data, size_t length, void* user) {
    self(user).request_.append(reinterpret_cast<const char*>(data), length);
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_DATA || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
      return 0;
    Session& me = self(user);
    me.reply_ = (*me.answer_)(me.method_, me.request_);
    Fields fields = {{":status", me.reply_.http_status}, {"content-type", "application/grpc"}};
    // As servers do: an answer without a message is its trailers alone.
    const bool bare = me.reply_.body.empty();
    if (bare) fields.insert(fields.end(), me.reply_.trailers.begin(), me.reply_.trailers.end());
    const std::vector<nghttp2_nv> headers = to_headers(fields);
    nghttp2_data_provider body{};
    body.read_callback = read_body;
    return nghttp2_submit_response(session, frame->hd.stream_id, headers.data(), headers.size(),
                                   bare ? nullptr : &body);
  }

  static ssize_t read_body(nghttp2_session* session, int32_t stream, uint8_t* out, size_t room,
                           uint32_t* flags, nghttp2_data_source* /*source*/, void* user) {
    Session& me = self(user);
    const size_t length = me.reply_.body.copy(reinterpret_cast<char*>(out), room);
    me.reply_.body.erase(0, length);
    if (!me.reply_.body.empty()) return static_cast<ssize_t>(length);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (me.reply_.trailers.empty()) return static_cast<ssize_t>(length);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const std::vector<nghttp2_nv> trailers = to_headers(me.reply_.trailers);
    nghttp2_submit_trailer(session, stream, trailers.data(), trailers.size());
    return static_cast<ssize_t>(length);
  }

  bool send_all(nghttp2_session* session) const {
    const uint8_t* bytes = nullptr;
    while (true) {
      const ssize_t length = nghttp2_session_mem_send(session, &bytes);
      if (length <= 0) return length == 0;
      if (::send(fd_, bytes, static_cast<size_t>(length), MSG_NOSIGNAL) != length) return false;
    }
  }

  int fd_;
  const GrpcServer::Answerer* answer_;
  std::string method_;
  std::string request_;
  GrpcAnswer reply_;
};

}  // namespace

std::string grpc_framed(const std::string& message, bool compressed) {
  std::string out(1, compressed ? '\1' : '\0');
  for (unsigned shift : {24U, 16U, 8U, 0U})
    out += static_cast<char>((message.size() >> shift) & 0xff);
  return out + message;
}

GrpcServer::GrpcServer(Answerer answer) : path_(directory_ / "runtime.sock") {
  serve([answer = std::move(answer)](int fd) { Session(fd, answer).run(); });
}

GrpcServer::GrpcServer(std::string bytes) : path_(directory_ / "runtime.sock") {
  serve([bytes = std::move(bytes)](int fd) {
    ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    // What was sent to a socket that is closed with unread data is lost.
    std::array<char, 4096> unread;
    ::shutdown(fd, SHUT_WR);
    while (::recv(fd, unread.data(), unread.size(), 0) > 0) continue;
  });
}

void GrpcServer::serve(const std::function<void(int fd)>& one) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener_.get(), 8) != 0)
    throw std::runtime_error("cannot listen at " + path_);
  thread_ = std::thread([this, one] {
    while (true) {
      const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
      if (!client.valid()) return;
      one(client.get());
    }
  });
}

GrpcServer::~GrpcServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

}  // namespace mapscope::test
