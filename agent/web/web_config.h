// SPDX-License-Identifier: Apache-2.0
// agent/web/web_config.h – the file behind --web.config.file: TLS, users and headers.
//
// The format is that of Prometheus's exporter-toolkit, so that one file serves every exporter of a
// node. What it can say and this server cannot do is refused, never ignored: a protection that
// silently is not there is worse than an error.
//
// Differences: HTTP is 1.1 alone, whatever `http2` says; TLS 1.0 and 1.1 are refused; so are
// policies that promise more than they check (SANs of certificates that nobody verifies, a
// verification without authorities).
// Source: github.com/prometheus/exporter-toolkit, docs/web-configuration.md
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/result.h"

namespace mapscope {

// A certificate or key in PEM, in a file or in the configuration itself.
struct PemSource {
  std::string path;  // absolute or relative to the working directory; "" when text is given
  std::string text;

  [[nodiscard]] bool given() const { return !path.empty() || !text.empty(); }
};

// By the names that Go's crypto/tls gives them.
enum class ClientAuth { kNone, kRequest, kRequireAny, kVerifyIfGiven, kRequireAndVerify };

struct TlsConfig {
  PemSource certificate;  // with its chain
  PemSource key;
  PemSource client_authorities;
  ClientAuth client_auth = ClientAuth::kNone;
  std::vector<std::string> client_allowed_sans;  // empty: every one
  int min_version = 0x0303;                      // as on the wire: TLS 1.2
  int max_version = 0x0304;                      // TLS 1.3
  std::string ciphers;                           // of TLS 1.2, OpenSSL's names; "" its default
  std::string cipher_suites;                     // of TLS 1.3, likewise
  std::string groups;                            // key exchange, likewise
  bool prefer_server_ciphers = true;
};

struct WebConfig {
  bool has_tls = false;
  TlsConfig tls;
  std::vector<std::pair<std::string, std::string>> headers;  // sent with every answer
  std::map<std::string, std::string> users;  // name → bcrypt hash; empty: no login
};

inline constexpr size_t kMaxWebConfigBytes = 256UL * 1024;

// `path` is where the text comes from: paths in it are relative to its folder. Errors: kUsage,
// "web.yml:3: …", one line naming the key or value. Never crashes or takes long, whatever the text.
Result<WebConfig> parse_web_config(std::string_view text, const std::string& path);

// At most `limit` bytes. Errors: kUsage beyond it and for what is no regular file; those of the
// system.
Result<std::string> read_web_file(const std::string& path, size_t limit);

}  // namespace mapscope
