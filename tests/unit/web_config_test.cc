// SPDX-License-Identifier: Apache-2.0
#include "agent/web/web_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

namespace mapscope {
namespace {

// Of "password".
constexpr const char* kHash = "$2b$04$suDCNx7DN0t18Tv6H2JBv.VbinzdGjX2/0OAfipWWnhBCKBHbzVHa";

WebConfig accepted(const std::string& text) {
  auto config = parse_web_config(text, "/etc/web.yml");
  if (!config) ADD_FAILURE() << config.error().text;
  return config ? std::move(*config) : WebConfig{};
}

std::string refusal(const std::string& text) {
  const auto config = parse_web_config(text, "web.yml");
  if (config) return "";
  EXPECT_EQ(config.error().kind, ErrorKind::kUsage);
  const std::string& said = config.error().text;
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
  EXPECT_TRUE(said.starts_with("web.yml")) << said;
  return said;
}

std::string tls(const std::string& more) {
  return "tls_server_config:\n  cert_file: c.pem\n  key_file: /k.pem\n" + more;
}

TEST(WebConfig, EmptyAsksForNothing) {
  for (const char* text : {"", "---\n", "# nothing\n", "tls_server_config:\nbasic_auth_users:\n"}) {
    const WebConfig config = accepted(text);
    EXPECT_FALSE(config.has_tls) << text;
    EXPECT_TRUE(config.users.empty() && config.headers.empty());
  }
}

TEST(WebConfig, EverythingIsRead) {
  const WebConfig config = accepted(
      tls("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: sub/ca.pem\n"
          "  client_allowed_sans: [prometheus.example, 10.0.0.1]\n  min_version: TLS12\n"
          "  max_version: TLS13\n  curve_preferences: [X25519, CurveP256]\n"
          "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]\n"
          "  prefer_server_cipher_suites: false\n") +
      "http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: sameorigin\n"
      "    Strict-Transport-Security: max-age=63072000\nbasic_auth_users:\n  scraper: " +
      kHash + "\n");
  ASSERT_TRUE(config.has_tls);
  EXPECT_EQ(config.tls.certificate.path, "/etc/c.pem");
  EXPECT_EQ(config.tls.key.path, "/k.pem");
  EXPECT_EQ(config.tls.client_authorities.path, "/etc/sub/ca.pem");
  EXPECT_EQ(config.tls.client_auth, ClientAuth::kRequireAndVerify);
  EXPECT_EQ(config.tls.client_allowed_sans.size(), 2U);
  EXPECT_EQ(config.tls.ciphers, "ECDHE-RSA-AES128-GCM-SHA256");
  EXPECT_EQ(config.tls.cipher_suites, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(config.tls.groups, "X25519:P-256");
  EXPECT_FALSE(config.tls.prefer_server_ciphers);
  EXPECT_EQ(config.headers.size(), 2U);
  EXPECT_EQ(config.users.at("scraper"), kHash);
}

TEST(WebConfig, AllFivePoliciesAreKnown) {
  for (const char* policy : {"NoClientCert", "RequestClientCert", "RequireAnyClientCert",
                             "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"}) {
    const bool plain = std::string(policy) == "NoClientCert";
    accepted(tls(std::string("  client_auth_type: ") + policy +
                 (plain ? "\n" : "\n  client_ca_file: ca.pem\n")));
  }
  EXPECT_NE(refusal(tls("  client_auth_type: Sometimes\n")).find("Sometimes"), std::string::npos);
}

TEST(WebConfig, UnknownKeysAreNamedWithTheirLine) {
  EXPECT_EQ(refusal("basic_auth_users: {}\nrate_limit: {}\n"),
            "web.yml:2: rate_limit is not a known key");
  EXPECT_EQ(refusal(tls("  cert_flie: x\n")),
            "web.yml:4: tls_server_config.cert_flie is not a known key");
  EXPECT_EQ(refusal("http_server_config:\n  http3: true\n"),
            "web.yml:2: http_server_config.http3 is not a known key");
}

TEST(WebConfig, WhatWouldNotProtectIsRefused) {
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {"tls_server_config:\n  key_file: k\n", "has no cert_file"},
           {"tls_server_config:\n  cert_file: k\n", "has no key_file"},
           {"tls_server_config: {}\n", "has no cert_file"},
           {tls("  cert: x\n"), "exclude each other"},
           {tls("  min_version: TLS10\n"), "TLS10 is broken"},
           {tls("  max_version: SSL30\n"), "neither TLS12 nor TLS13"},
           {tls("  min_version: TLS13\n  max_version: TLS12\n"), "above max_version"},
           {tls("  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n"), "TLS_RSA_WITH_RC4_128_SHA"},
           {tls("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12\n"), "none of"},
           {tls("  cipher_suites: TLS_AES_128_GCM_SHA256\n"), "is not a list"},
           {tls("  curve_preferences: [P1]\n"), "P1"},
           {tls("  client_auth_type: RequireAndVerifyClientCert\n"), "no client_ca_file"},
           {tls("  client_ca_file: ca\n"), "of no use"},
           {tls("  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [a]\n"), "sans"},
           {"basic_auth_users:\n  a: password\n", "bcrypt"},
           {"basic_auth_users:\n  a: $2b$31$" + std::string(53, 'a') + "\n", "cost"},
           {"basic_auth_users:\n  'a:b': " + std::string(kHash) + "\n", "colon"},
           {"basic_auth_users:\n  a: [x]\n", "not a text"},
           {"basic_auth_users: [a]\n", "not a mapping"},
           {"basic_auth_users:\n  a: x\n  a: x\n", "given twice"},
           {"http_server_config:\n  http2: perhaps\n", "neither true nor false"},
           {"http_server_config:\n  headers:\n    Server: x\n", "no header that can be"},
           {"http_server_config:\n  headers:\n    X-Frame-Options: always\n", "cannot be always"},
           {"http_server_config:\n  headers:\n    X-XSS-Protection: \"1\\r\\nA: b\"\n", "control"},
       }) {
    EXPECT_NE(refusal(text).find(words), std::string::npos) << text << refusal(text);
  }
}

// None of these is to crash, to hang or to be taken.
TEST(WebConfig, HostileFilesAreRefusedQuickly) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char name = 'b'; name < 'z'; ++name) {
    const std::string before = std::string("*") + static_cast<char>(name - 1);
    bomb += std::string(1, name) + ": &" + name + " [" + before;
    for (int i = 0; i < 8; ++i) bomb.append(",").append(before);
    bomb += "]\n";
  }
  std::string blocks;
  for (size_t depth = 0; depth < 600; ++depth) blocks += std::string(depth, ' ') + "a:\n";
  for (const std::string& text :
       {std::string(100'000, '['), std::string(100'000, '{'), blocks, bomb,
        std::string("basic_auth_users: &a\n  b: *a\n"), std::string("basic_auth_users: *nobody\n"),
        std::string("a: b\n---\nc: d\n"), std::string("\0\0\0", 3), std::string("\xff\xfe\xfd"),
        std::string("!!binary x"), std::string("? [a]\n: b\n"), std::string("a: 'x"),
        std::string("<<: {a: b}\n"), std::string(10UL << 20, 'a'), std::string("- - - - - a")}) {
    EXPECT_NE(refusal(text), "") << text.substr(0, 40);
  }
}

TEST(WebConfig, KeysInErrorsAreShortAndPrintable) {
  const std::string said = refusal("\"a\\nb\\e\": 1\n");
  EXPECT_TRUE(
      std::none_of(said.begin(), said.end(), [](unsigned char c) { return std::iscntrl(c); }));
  EXPECT_LT(refusal(std::string(5000, 'k') + ": 1\n").size(), 200U);
}

// The YAML library finds one empty document after the other before these, and never ends.
TEST(WebConfig, WhatBeginsNoDocumentIsRefused) {
  for (const char* text : {",", ", [{a:a: [b, !!s agfile: ", "]", "}", "a: b\n, c"})
    EXPECT_FALSE(refusal(text).empty()) << text;
}

}  // namespace
}  // namespace mapscope
