// SPDX-License-Identifier: Apache-2.0
#include "agent/web/web_config.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "agent/base/unique_fd.h"
#include "agent/web/basic_auth.h"
#include "agent/web/yaml_reader.h"

namespace mapscope {
namespace {

// What crypto/tls calls secure; OpenSSL knows them by the same names, which are IANA's.
constexpr std::array<std::string_view, 10> kSuitesOfTls12 = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",          "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",     "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",       "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
};
constexpr std::array<std::string_view, 3> kSuitesOfTls13 = {
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kCurves = {
    {{"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}}};
// RequireClientCert is the toolkit's older word.
constexpr std::array<std::pair<std::string_view, ClientAuth>, 6> kPolicies = {
    {{"NoClientCert", ClientAuth::kNone},
     {"RequestClientCert", ClientAuth::kRequest},
     {"RequireClientCert", ClientAuth::kRequireAny},
     {"RequireAnyClientCert", ClientAuth::kRequireAny},
     {"VerifyClientCertIfGiven", ClientAuth::kVerifyIfGiven},
     {"RequireAndVerifyClientCert", ClientAuth::kRequireAndVerify}}};
// Values that a header may have; none: any.
struct AllowedHeader {
  std::string_view name;
  std::array<std::string_view, 2> values;
};
constexpr std::array<AllowedHeader, 5> kHeaders = {
    {{"Strict-Transport-Security", {}},
     {"X-Content-Type-Options", {"nosniff", "nosniff"}},
     {"X-Frame-Options", {"deny", "sameorigin"}},
     {"X-XSS-Protection", {}},
     {"Content-Security-Policy", {}}}};

template <typename List>
bool holds(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

template <typename List>
auto find_named(const List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& e) { return e.first == name; });
}

void append(std::string& list, std::string_view name) {
  if (!list.empty()) list += ':';
  list += name;
}

PemSource read_pem(const YamlMapping& tls, const char* inline_key, const char* file_key,
                   const std::string& folder) {
  PemSource source{tls.text(file_key), tls.text(inline_key)};
  if (!source.path.empty() && !source.text.empty())
    tls.fail(file_key, std::string("and ") + inline_key + " exclude each other");
  if (!source.path.empty()) source.path = (std::filesystem::path(folder) / source.path).string();
  return source;
}

int read_version(const YamlMapping& tls, const char* key, int absent) {
  const std::string name = tls.text(key);
  if (name.empty()) return absent;
  if (name == "TLS12") return TLS1_2_VERSION;
  if (name == "TLS13") return TLS1_3_VERSION;
  if (name == "TLS10" || name == "TLS11")
    // cppcheck-suppress missingReturn; fail() is [[noreturn]]
    tls.fail(key, name + " is broken and not offered; use TLS12 or TLS13");
  tls.fail(key, "is neither TLS12 nor TLS13");
}

void read_suites(const YamlMapping& tls, TlsConfig& config) {
  const std::vector<std::string> names = tls.texts("cipher_suites");
  for (const std::string& name : names) {
    if (holds(kSuitesOfTls13, name)) {
      append(config.cipher_suites, name);
    } else if (holds(kSuitesOfTls12, name)) {
      append(config.ciphers, OPENSSL_cipher_name(name.c_str()));
    } else {
      tls.fail("cipher_suites", "has the unknown suite " + name.substr(0, 60));
    }
  }
  if (names.empty() || !config.ciphers.empty()) return;
  if (config.max_version < TLS1_3_VERSION)
    tls.fail("cipher_suites", "has none of TLS 1.2, and max_version allows no other");
  config.min_version = TLS1_3_VERSION;
}

void check_clients(const YamlMapping& tls, const TlsConfig& config) {
  const bool verifies = config.client_auth == ClientAuth::kVerifyIfGiven ||
                        config.client_auth == ClientAuth::kRequireAndVerify;
  const bool has_authorities = config.client_authorities.given();
  if (verifies && !has_authorities)
    tls.fail("client_auth_type", "verifies certificates, but there is no client_ca_file");
  if (has_authorities && config.client_auth == ClientAuth::kNone)
    tls.fail(config.client_authorities.path.empty() ? "client_ca" : "client_ca_file",
             "is of no use without a client_auth_type");
  if (!config.client_allowed_sans.empty() && !verifies)
    tls.fail("client_allowed_sans",
             "means nothing unless client_auth_type is RequireAndVerifyClientCert or "
             "VerifyClientCertIfGiven");
}

void read_tls(const YAML::Node& node, const std::string& folder, WebConfig& out) {
  const YamlMapping tls(
      node, "tls_server_config",
      {"cert", "key", "client_ca", "cert_file", "key_file", "client_ca_file", "client_auth_type",
       "client_allowed_sans", "cipher_suites", "curve_preferences", "min_version", "max_version",
       "prefer_server_cipher_suites"});
  TlsConfig& config = out.tls;
  config.certificate = read_pem(tls, "cert", "cert_file", folder);
  config.key = read_pem(tls, "key", "key_file", folder);
  config.client_authorities = read_pem(tls, "client_ca", "client_ca_file", folder);
  if (!config.certificate.given()) throw YamlFault{"tls_server_config has no cert_file"};
  if (!config.key.given()) throw YamlFault{"tls_server_config has no key_file"};
  config.min_version = read_version(tls, "min_version", config.min_version);
  config.max_version = read_version(tls, "max_version", config.max_version);
  if (config.min_version > config.max_version) tls.fail("min_version", "is above max_version");
  read_suites(tls, config);
  for (const std::string& name : tls.texts("curve_preferences")) {
    const auto* const curve = find_named(kCurves, name);
    if (curve == kCurves.end())
      tls.fail("curve_preferences", "has the unknown curve " + name.substr(0, 60));
    append(config.groups, curve->second);
  }
  config.prefer_server_ciphers = tls.flag("prefer_server_cipher_suites", true);
  if (const std::string policy = tls.text("client_auth_type"); !policy.empty()) {
    const auto* const found = find_named(kPolicies, policy);
    if (found == kPolicies.end())
      tls.fail("client_auth_type", "is none of Go's five: " + policy.substr(0, 60));
    config.client_auth = found->second;
  }
  config.client_allowed_sans = tls.texts("client_allowed_sans");
  check_clients(tls, config);
  out.has_tls = true;
}

void read_http(const YAML::Node& node, WebConfig& out) {
  const YamlMapping http(node, "http_server_config", {"http2", "headers"});
  static_cast<void>(http.flag("http2", true));
  const YamlMapping headers(http.find("headers"), "http_server_config.headers");
  for (const auto& [name, value] : headers.entries()) {
    const auto* const allowed = std::find_if(
        kHeaders.begin(), kHeaders.end(), [name = name](const auto& h) { return h.name == name; });
    if (allowed == kHeaders.end()) headers.fail(name, "is no header that can be configured");
    const bool is_any = allowed->values.front().empty();
    if (!is_any && !holds(allowed->values, value))
      headers.fail(name, "cannot be " + value.substr(0, 60));
    const auto is_control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
    if (std::any_of(value.begin(), value.end(), is_control))
      headers.fail(name, "holds a control character");
    if (!value.empty()) out.headers.emplace_back(name, value);
  }
}

void read_users(const YAML::Node& node, WebConfig& out) {
  const YamlMapping users(node, "basic_auth_users");
  for (const auto& [name, hash] : users.entries()) {
    if (name.empty() || name.find(':') != std::string::npos)
      users.fail(name, "is no user name: it is empty or holds a colon");
    if (const std::string_view fault = bcrypt_fault(hash); !fault.empty())
      users.fail(name, std::string(fault));
    out.users.emplace(name, hash);
  }
}

WebConfig read_file(std::string_view text, const std::string& folder) {
  WebConfig out;
  const YamlMapping file(read_yaml(std::string(text)), "",
                         {"tls_server_config", "http_server_config", "basic_auth_users"});
  if (const YAML::Node tls = file.find("tls_server_config"); tls.IsDefined())
    read_tls(tls, folder, out);
  read_http(file.find("http_server_config"), out);
  read_users(file.find("basic_auth_users"), out);
  return out;
}

// One line, whatever the library says.
Error config_error(const std::string& path, int line, std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  const std::string place = line < 0 ? "" : ":" + std::to_string(line + 1);
  return {ErrorKind::kUsage, path + place + ": " + text};
}

}  // namespace

Result<WebConfig> parse_web_config(std::string_view text, const std::string& path) {
  if (text.size() > kMaxWebConfigBytes)
    return config_error(path, -1, "is larger than " + std::to_string(kMaxWebConfigBytes) + " B");
  // The library would take other encodings, and stop at a zero byte without a word.
  const auto is_foreign = [](char c) { return c == '\0' || static_cast<unsigned char>(c) >= 0xf5; };
  if (std::any_of(text.begin(), text.end(), is_foreign))
    return config_error(path, -1, "is not a text in UTF-8");
  try {
    return read_file(text, std::filesystem::path(path).parent_path().string());
  } catch (const YamlFault& fault) {
    return config_error(path, fault.line, fault.text);
  } catch (const YAML::Exception& fault) {
    return config_error(path, fault.mark.line, "is not YAML: " + fault.msg);
  }
}

Result<std::string> read_web_file(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return system_error(path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error(path, errno);
  if (!S_ISREG(status.st_mode)) return Error{ErrorKind::kUsage, path + ": is no regular file"};
  std::string text(limit + 1, '\0');
  size_t used = 0;
  while (used < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, errno);
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  if (used > limit)
    return Error{ErrorKind::kUsage, path + ": is larger than " + std::to_string(limit) + " B"};
  text.resize(used);
  return text;
}

}  // namespace mapscope
