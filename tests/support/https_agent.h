// SPDX-License-Identifier: Apache-2.0
// tests/support/https_agent.h – the agent with a web configuration, and who may ask it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/support/certificates.h"
#include "tests/support/child_process.h"
#include "tests/support/live_target.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tls_client.h"

namespace mapscope::test {

// The one user of the configurations below.
inline constexpr const char* kLogin = "scraper:password";

class HttpsAgent {
 public:
  // TLS with a certificate of `authority`, the user of kLogin, and `more` lines of
  // tls_server_config ("  key: value\n"). Watches both targets. Returns when it is ready.
  HttpsAgent(CertificateAuthority& authority, const LiveTarget& target, const std::string& more,
             const LiveTarget& second);
  HttpsAgent(CertificateAuthority& authority, const LiveTarget& target, const std::string& more)
      : HttpsAgent(authority, target, more, target) {}

  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] ChildProcess& process() { return *process_; }
  [[nodiscard]] std::string config_path() const { return directory_ / "web.yml"; }
  // Replaces the server's certificate and key, as a tool that renews them does.
  void install(const Certificate& certificate);
  void write_config(const std::string& text) const;
  [[nodiscard]] std::string good_config() const;

  [[nodiscard]] TlsAnswer get(const std::string& path, const std::string& login = kLogin,
                              const Certificate& own = {}) const;

 private:
  CertificateAuthority* authority_;
  std::string more_;
  TemporaryDirectory directory_;
  std::optional<ChildProcess> process_;
  uint16_t port_ = 0;
};

}  // namespace mapscope::test
