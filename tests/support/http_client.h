// SPDX-License-Identifier: Apache-2.0
// tests/support/http_client.h – one HTTP/1.1 request over loopback, with nothing between the test
// and the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "agent/base/unique_fd.h"

namespace mapscope {

struct HttpAnswer {
  int status = 0;                              // 0: no answer, e.g. nothing listens
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// What a server sent until it closed.
HttpAnswer parse_http_answer(const std::string& text);

// Connected to a numeric address; not valid when nobody listens. Reading ends after a minute.
UniqueFd connect_to_server(const std::string& host, uint16_t port);

// Sends `request` as it is and reads until the server closes. `host` is a numeric address.
HttpAnswer http_exchange(const std::string& host, uint16_t port, const std::string& request);

// GET, or another method, of `path` from 127.0.0.1.
HttpAnswer http_get(uint16_t port, const std::string& path, const std::string& method = "GET");

}  // namespace mapscope
