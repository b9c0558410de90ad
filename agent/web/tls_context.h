// SPDX-License-Identifier: Apache-2.0
// agent/web/tls_context.h – what OpenSSL needs to serve as a TlsConfig says.
//
// Certificates and keys are read once, when the context is made. Sessions are not resumed: each
// connection checks its client's certificate anew. A key with a passphrase is refused.
// Threads: one context may serve connections of several threads.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/web/web_config.h"

namespace mapscope {

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;

class TlsContext {
 public:
  // Errors: kUsage, naming the file that is wrong; those of the system.
  static Result<std::unique_ptr<TlsContext>> create(const TlsConfig& config);

  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext() = default;

  // The server's side of a connection on a socket, which it does not own. nullptr: out of memory.
  // REQUIRES: the context outlives it.
  [[nodiscard]] SslPtr accept(int fd) const;

 private:
  TlsContext() = default;
  Status load_own(const TlsConfig& config);
  Status load_authorities(const TlsConfig& config);
  Status set_choices(const TlsConfig& config);
  void set_client_policy(const TlsConfig& config);
  static int verify_client(X509_STORE_CTX* store, void* self);

  std::unique_ptr<SSL_CTX, SslDeleter> context_;
  bool verifies_ = false;
  std::vector<std::string> allowed_sans_;
};

// DNS names, addresses of mail, URIs and IP addresses that a certificate speaks for, as text.
std::vector<std::string> subject_alternative_names(X509* certificate);

}  // namespace mapscope
