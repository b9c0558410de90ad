// SPDX-License-Identifier: Apache-2.0
// agent/service_manager.h – tells systemd, or whoever speaks its protocol, how the agent is.
//
// Without NOTIFY_SOCKET in the environment every call does nothing. What cannot be sent is not
// tried again: the next message comes soon. Threads: one.
// Source: sd_notify(3), sd_watchdog_enabled(3)
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/base/unique_fd.h"

namespace mapscope {

class ServiceManager {
 public:
  // From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which it removes, so that no child speaks
  // in the agent's name. Call while there is one thread.
  static ServiceManager from_environment();

  // Every probe that was asked for is in place, and the web server answers.
  void ready(size_t targets);
  void stopping();
  // To be called from the main loop: says how many targets there are when that has changed, and
  // that the loop is alive, twice in the time after which the service manager would end it.
  void tick(size_t targets, uint64_t now_ns);

 private:
  void send(std::string_view text, int flags = MSG_DONTWAIT) const;

  UniqueFd socket_;
  sockaddr_un address_{};
  socklen_t address_bytes_ = 0;
  uint64_t interval_ns_ = 0;  // half of the watchdog's time; 0: there is none
  uint64_t told_ns_ = 0;
  std::optional<size_t> told_targets_;
};

}  // namespace mapscope
