// SPDX-License-Identifier: Apache-2.0
#include "agent/web/listeners.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace mapscope {
namespace {

constexpr int kBacklog = 128;
constexpr int kFirstActivated = 3;
constexpr int kMostActivated = 16;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// A host as numbers may have a scope: fe80::1%eth0. Of what is none the length is 0, which nothing
// can be bound to.
SocketAddress named_address(const ListenAddress& address, int family) {
  SocketAddress out;
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  if (getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found) != 0) return out;
  std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
  out.length = found->ai_addrlen;
  freeaddrinfo(found);
  return out;
}

SocketAddress socket_address(const ListenAddress& address, int family) {
  if (!address.host.empty()) return named_address(address, family);
  SocketAddress out;
  if (family == AF_INET6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&out.storage, &v6, sizeof(v6));
    out.length = sizeof(v6);
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&out.storage, &v4, sizeof(v4));
    out.length = sizeof(v4);
  }
  return out;
}

// Host and port that a socket is bound to; nullopt when it is of another family.
std::optional<ListenAddress> bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> text{};
  ListenAddress out;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof(v4));
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    out.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof(v6));
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    out.port = ntohs(v6.sin6_port);
  } else {
    return std::nullopt;
  }
  const std::string_view host = text.data();
  if (host != "0.0.0.0" && host != "::") out.host = host;
  return out;
}

// errno, or 0 and the socket.
int open_socket(const ListenAddress& address, int family, UniqueFd& out) {
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  const int on = 1;
  const int v6_only = address.host.empty() ? 0 : 1;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) return errno;
  if (family == AF_INET6 &&
      setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) != 0)
    return errno;
  const SocketAddress bound = socket_address(address, family);
  if (bind(fd.get(), bound.get(), bound.length) != 0) return errno;
  if (listen(fd.get(), kBacklog) != 0) return errno;
  out = std::move(fd);
  return 0;
}

Result<Listener> open_listener(const std::string& text) {
  auto address = parse_listen_address(text);
  if (!address) return std::move(address).error();
  Listener out;
  int error = EAFNOSUPPORT;
  if (address->host.empty() || address->is_ipv6()) error = open_socket(*address, AF_INET6, out.fd);
  const bool no_ipv6 = error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
  if (!address->is_ipv6() && no_ipv6) error = open_socket(*address, AF_INET, out.fd);
  if (error != 0) {
    return Error{error == EACCES ? ErrorKind::kPermission : ErrorKind::kSystem,
                 "cannot listen on " + address->text() + ": " + std::strerror(error) +
                     "; choose another with --web.listen-address"};
  }
  out.address = *address;
  if (const auto bound = bound_address(out.fd.get())) out.address.port = bound->port;
  return out;
}

std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  int value = 0;
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

Error not_activated(const std::string& why) {
  return {ErrorKind::kUsage,
          "--web.systemd-socket: " + why + "; start it by a .socket unit, or without this option"};
}

}  // namespace

Result<std::vector<Listener>> open_listeners(const std::vector<std::string>& addresses) {
  std::vector<Listener> out;
  for (const std::string& address : addresses) {
    auto opened = open_listener(address);
    if (!opened) return std::move(opened).error();
    out.push_back(std::move(*opened));
  }
  return out;
}

Result<std::vector<Listener>> take_activated_listeners() {
  const auto pid = number_in("LISTEN_PID");
  const auto count = number_in("LISTEN_FDS");
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
  if (!count || *count < 1 || pid != getpid())
    return not_activated("the service manager gave no socket");
  if (*count > kMostActivated)
    return not_activated("more than " + std::to_string(kMostActivated) + " sockets were given");
  std::vector<Listener> out;
  for (int fd = kFirstActivated; fd < kFirstActivated + *count; ++fd) {
    Listener listener{UniqueFd(fd), {}};
    int listens = 0;
    socklen_t length = sizeof(listens);
    const auto address = bound_address(fd);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || listens == 0 ||
        !address)
      return not_activated("descriptor " + std::to_string(fd) + " is no listening TCP socket");
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
      return system_error("a socket of the service manager", errno);
    listener.address = *address;
    out.push_back(std::move(listener));
  }
  return out;
}

}  // namespace mapscope
