// SPDX-License-Identifier: Apache-2.0
// agent/web/listeners.h – the sockets that a server takes connections from.
//
// Opening a port below 1024 needs CAP_NET_BIND_SERVICE; using one that is open needs nothing, so
// sockets are opened before privileges are given up.
#pragma once

#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/web/listen_address.h"

namespace mapscope {

struct Listener {
  UniqueFd fd;            // non-blocking, closed on exec
  ListenAddress address;  // with the real port
};

// Every address, or none. ":PORT" listens for IPv6 and IPv4, or IPv4 alone where there is no IPv6.
// Errors: kUsage for what is no address; kPermission or kSystem, "cannot listen on
// 127.0.0.1:9847: Address already in use; choose another with --web.listen-address".
Result<std::vector<Listener>> open_listeners(const std::vector<std::string>& addresses);

// The sockets that the service manager opened for this process (LISTEN_PID, LISTEN_FDS, descriptors
// from 3 on), and forgets them in the environment, so that no child takes them for its own. Call
// once, while there is one thread.
// Errors: kUsage when there are none or one is no listening TCP socket.
// Source: sd_listen_fds(3)
Result<std::vector<Listener>> take_activated_listeners();

}  // namespace mapscope
