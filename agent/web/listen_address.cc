// SPDX-License-Identifier: Apache-2.0
#include "agent/web/listen_address.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <memory>
#include <optional>

namespace mapscope {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Error bad_address(std::string_view text, std::string_view why) {
  return {ErrorKind::kUsage, "--web.listen-address " + std::string(text) + ": " + std::string(why) +
                                 "; use [host]:port, e.g. 127.0.0.1:9847"};
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end) return std::nullopt;
  return port;
}

// nullptr when the name means nothing here.
AddressList resolve(const std::string& host, int& error) {
  addrinfo hints{};
  hints.ai_family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  return {error == 0 ? found : nullptr, &freeaddrinfo};
}

}  // namespace

std::string ListenAddress::text() const {
  return (is_ipv6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> split_listen_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_address(text, "there is no port");
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return bad_address(text, "the port is not a number from 0 to 65535");
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed != (host.find(':') != std::string_view::npos)) {
    return bad_address(text, "an IPv6 address, and nothing else, stands in brackets");
  }
  return ListenAddress{std::string(host), *port};
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  auto split = split_listen_address(text);
  if (!split || split->host.empty()) return split;
  int error = 0;
  const AddressList found = resolve(split->host, error);
  if (found == nullptr) return bad_address(text, gai_strerror(error));
  std::array<char, NI_MAXHOST> numeric{};
  error = getnameinfo(found->ai_addr, found->ai_addrlen, numeric.data(), numeric.size(), nullptr, 0,
                      NI_NUMERICHOST);
  if (error != 0) return bad_address(text, gai_strerror(error));
  return ListenAddress{numeric.data(), split->port};
}

}  // namespace mapscope
