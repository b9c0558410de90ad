// SPDX-License-Identifier: Apache-2.0
#include "agent/service_manager.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>

namespace mapscope {
namespace {

constexpr uint64_t kNsPerMicrosecond = 1000;

std::string taken(const char* variable) {
  const char* value = std::getenv(variable);
  std::string out = value == nullptr ? "" : value;
  unsetenv(variable);
  return out;
}

uint64_t number(const std::string& text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end ? value : 0;
}

std::string status_text(size_t targets) {
  return fmt::format("STATUS=Watching {} {}\n", targets, targets == 1 ? "target" : "targets");
}

}  // namespace

ServiceManager ServiceManager::from_environment() {
  ServiceManager out;
  const std::string path = taken("NOTIFY_SOCKET");
  const uint64_t watchdog_us = number(taken("WATCHDOG_USEC"));
  const std::string watched_pid = taken("WATCHDOG_PID");
  const bool is_name = path.size() > 1 && (path[0] == '/' || path[0] == '@');
  if (!is_name || path.size() >= sizeof(out.address_.sun_path)) return out;
  out.address_.sun_family = AF_UNIX;
  std::memcpy(out.address_.sun_path, path.data(), path.size());
  // A name without a file begins with a zero byte and ends by the length alone.
  if (path[0] == '@') out.address_.sun_path[0] = '\0';
  const size_t name_bytes = path.size() + (path[0] == '@' ? 0 : 1);
  out.address_bytes_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_bytes);
  out.socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (watched_pid.empty() || number(watched_pid) == static_cast<uint64_t>(getpid()))
    out.interval_ns_ = watchdog_us * kNsPerMicrosecond / 2;
  return out;
}

void ServiceManager::send(std::string_view text, int flags) const {
  if (!socket_.valid()) return;
  std::ignore = ::sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | flags,
                         reinterpret_cast<const sockaddr*>(&address_), address_bytes_);
}

void ServiceManager::ready(size_t targets) {
  send("READY=1\n" + status_text(targets), 0);  // said once: it may take its time
  told_targets_ = targets;
}

void ServiceManager::stopping() { send("STOPPING=1\nSTATUS=Detaching\n"); }

void ServiceManager::tick(size_t targets, uint64_t now_ns) {
  if (targets != told_targets_) {
    send(status_text(targets));
    told_targets_ = targets;
  }
  if (interval_ns_ == 0 || (told_ns_ != 0 && now_ns - told_ns_ < interval_ns_)) return;
  send("WATCHDOG=1\n");
  told_ns_ = now_ns;
}

}  // namespace mapscope
