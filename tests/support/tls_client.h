// SPDX-License-Identifier: Apache-2.0
// tests/support/tls_client.h – one HTTP request over TLS over loopback.
#pragma once

#include <cstdint>
#include <string>

#include "tests/support/certificates.h"
#include "tests/support/http_client.h"

namespace mapscope::test {

struct TlsOptions {
  std::string authority;  // the server's; PEM
  Certificate own = {};   // none: no certificate is given
};

struct TlsAnswer {
  HttpAnswer http;     // status 0 when TLS or the server refused
  std::string server;  // subject of the server's certificate: "/CN=issued1"
};

// The server must have a certificate of the authority for 127.0.0.1.
TlsAnswer https_exchange(uint16_t port, const std::string& request, const TlsOptions& options);

// GET with "Authorization: Basic", unless `login` ("user:password") is "".
std::string get_request(const std::string& path, const std::string& login = "");

}  // namespace mapscope::test
