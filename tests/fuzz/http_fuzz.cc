// SPDX-License-Identifier: Apache-2.0
// HTTP requests as they come over a socket, in pieces.
// The first byte says how large the pieces are.
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "agent/web/basic_auth.h"
#include "agent/web/connection.h"
#include "tests/fuzz/support/fuzz_target.h"

namespace mapscope::test {
namespace {

void ask(const HttpRequest& request) {
  require(!request.method.empty() && request.path.starts_with('/'));
  (void)query_value(request.query, "limit");
  if (const auto credentials = parse_basic_auth(request.authorization))
    require(credentials->user.find(':') == std::string::npos);
}

// What was refused stays refused when more comes, and a whole head is whole.
void check_prefixes(std::string_view bytes, size_t piece) {
  std::optional<HttpHead> before;
  for (size_t size = 0; size < bytes.size() + piece; size += piece) {
    const auto head = parse_head(bytes.substr(0, size));
    require(!before || (head && head->refused == before->refused));
    before = head;
  }
  if (before && before->refused == 0) ask(before->request);
}

void converse(std::string_view bytes, size_t piece) {
  std::array<int, 2> ends{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  Connection connection(1, UniqueFd(ends[0]), std::make_shared<const WebSettings>());
  const UniqueFd client(ends[1]);
  while (!bytes.empty() && connection.phase() == Connection::Phase::kHead) {
    const ssize_t sent = ::send(client.get(), bytes.data(), std::min(piece, bytes.size()), 0);
    require(sent > 0);
    bytes.remove_prefix(static_cast<size_t>(sent));
    connection.advance(POLLIN);
  }
  if (connection.phase() == Connection::Phase::kRequested) {
    ask(connection.request());
    connection.answer({200, "text/plain", "body\n"});
    connection.advance(POLLOUT);
  }
  std::array<char, 4096> answer{};
  const ssize_t got = ::recv(client.get(), answer.data(), answer.size(), 0);
  if (connection.phase() == Connection::Phase::kHead) return;  // not complete
  require(got > 0 && std::string_view(answer.data(), 9) == "HTTP/1.1 ");
}

}  // namespace

Seeds make_seeds() {
  return {{"scrape", bytes_of("\x10GET /metrics HTTP/1.1\r\nHost: localhost:9847\r\nUser-Agent: "
                              "Prometheus/2.42.0\r\nAccept: text/plain;version=0.0.4\r\n\r\n")},
          {"login", bytes_of("\x40GET /api/v1/resizes?limit=3&x=%41 HTTP/1.1\r\nAuthorization: "
                             "Basic c2NyYXBlcjpwYXNzd29yZA==\r\n\r\n")},
          {"head", bytes_of("\x01HEAD /-/ready HTTP/1.0\n\n")},
          {"percent", bytes_of("\x7fGET /a%20b/%c3%a9?q#f HTTP/1.1\r\nA:b\r\n\r\n")},
          {"post", bytes_of("\x20POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")}};
}

void feed(Input input) {
  if (input.empty()) return;
  const size_t piece = size_t{1} + input[0] * size_t{8};
  const std::string_view bytes = text_of(input.subspan(1));
  check_prefixes(bytes, std::max(piece, bytes.size() / 64));
  converse(bytes, piece);
}

}  // namespace mapscope::test
