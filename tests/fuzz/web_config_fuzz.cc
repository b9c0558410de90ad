// SPDX-License-Identifier: Apache-2.0
// The file behind --web.config.file.
#include "agent/web/basic_auth.h"
#include "agent/web/web_config.h"
#include "tests/fuzz/support/fuzz_target.h"

namespace mapscope::test {

Seeds make_seeds() {
  return {
      {"full",
       bytes_of("tls_server_config:\n  cert_file: agent.pem\n  key_file: agent.key\n"
                "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.pem\n"
                "  client_allowed_sans: [prometheus.example.com]\n  min_version: TLS12\n"
                "  max_version: TLS13\n  curve_preferences: [X25519, CurveP256]\n"
                "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  prefer_server_cipher_suites: false\n"
                "basic_auth_users:\n"
                "  scraper: $2b$04$suDCNx7DN0t18Tv6H2JBv.VbinzdGjX2/0OAfipWWnhBCKBHbzVHa\n"
                "http_server_config:\n  http2: true\n"
                "  headers: {Strict-Transport-Security: max-age=63072000}\n")},
      {"inline",
       bytes_of("tls_server_config:\n  cert: |\n    -----BEGIN\n  key: \"a\\x41\\u263a\"\n")},
      {"anchors", bytes_of("basic_auth_users: &a {x: &b y}\nhttp_server_config: *a\n<<: *b\n")},
      {"nested", bytes_of("? [{a: [b, [c, {d: e}]]}]\n: !!str |+\n  x\n--- >-\n  y\n...\n")}};
}

void feed(Input input) {
  const auto config = parse_web_config(text_of(input), "web.yml");
  if (!config) {
    const std::string& said = config.error().text;
    require(said.starts_with("web.yml") && said.find('\n') == std::string::npos);
    return;
  }
  for (const auto& [name, hash] : config->users)
    require(!name.empty() && bcrypt_fault(hash).empty());
  for (const auto& [name, value] : config->headers)
    require(value.find_first_of("\r\n") == std::string::npos);
  if (config->has_tls) require(config->tls.certificate.given() && config->tls.key.given());
}

}  // namespace mapscope::test
