// SPDX-License-Identifier: Apache-2.0
// agent/web/listen_address.h – "[host]:port" as Prometheus exporters take it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace mapscope {

struct ListenAddress {
  std::string host;  // numeric, IPv6 without brackets; "" every address of the machine
  uint16_t port = 0;

  [[nodiscard]] bool is_ipv6() const { return host.find(':') != std::string::npos; }
  // "127.0.0.1:9847", "[::1]:9847", ":9847".
  [[nodiscard]] std::string text() const;
};

// "[HOST]:PORT" taken apart; the host is as it was written, perhaps a name, and nobody is asked.
// Errors: as below.
Result<ListenAddress> split_listen_address(std::string_view text);

// ":9847", "127.0.0.1:9847", "localhost:9847", "[::1]:0". A name stands for its first IPv4
// address.
// Errors: kUsage, saying which flag.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace mapscope
