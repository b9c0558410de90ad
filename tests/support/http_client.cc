// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <sstream>

namespace mapscope {
namespace {

// A backstop: a server that hangs fails the test instead of hanging it.
constexpr timeval kBackstop = {60, 0};

}  // namespace

UniqueFd connect_to_server(const std::string& host, uint16_t port) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const bool is_v6 = host.find(':') != std::string::npos;
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  void* address = is_v6 ? static_cast<void*>(&v6.sin6_addr) : static_cast<void*>(&v4.sin_addr);
  if (inet_pton(is_v6 ? AF_INET6 : AF_INET, host.c_str(), address) != 1) return {};
  UniqueFd fd(socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kBackstop, sizeof(kBackstop));
  const auto* generic =
      is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  const socklen_t length = is_v6 ? sizeof(v6) : sizeof(v4);
  if (connect(fd.get(), generic, length) != 0) return {};
  return fd;
}

HttpAnswer parse_http_answer(const std::string& text) {
  HttpAnswer answer;
  const size_t head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos || !text.starts_with("HTTP/1.1 ")) return answer;
  answer.status = std::atoi(text.c_str() + 9);
  answer.body = text.substr(head_end + 4);
  std::istringstream head(text.substr(0, head_end));
  std::string line;
  std::getline(head, line);
  while (std::getline(head, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    answer.headers[name] = line.substr(colon + 2);
  }
  return answer;
}

HttpAnswer http_exchange(const std::string& host, uint16_t port, const std::string& request) {
  const UniqueFd fd = connect_to_server(host, port);
  if (!fd.valid()) return {};
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t n = ::send(fd.get(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += static_cast<size_t>(n);
  }
  std::string text;
  std::array<char, 65536> buffer{};
  for (ssize_t n = 0; (n = recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(n));
  }
  return parse_http_answer(text);
}

HttpAnswer http_get(uint16_t port, const std::string& path, const std::string& method) {
  return http_exchange("127.0.0.1", port,
                       method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

}  // namespace mapscope
