// SPDX-License-Identifier: Apache-2.0
#include "agent/web/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace mapscope {
namespace {

constexpr size_t kMaxPemBytes = 1UL << 20;

struct Deleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
template <typename Type>
using Owned = std::unique_ptr<Type, Deleter>;

// Nobody is asked for a passphrase: the agent may have a terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*write*/, void* /*data*/) { return -1; }

std::string name_of(const PemSource& source, const char* inline_name) {
  return source.path.empty() ? "tls_server_config." + std::string(inline_name) : source.path;
}

Error tls_error(const std::string& object, const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return {ErrorKind::kUsage,
          object + ": " + what + (reason == nullptr ? "" : " (" + std::string(reason) + ")")};
}

Result<std::string> pem_text(const PemSource& source) {
  if (source.path.empty()) return source.text;
  return read_web_file(source.path, kMaxPemBytes);
}

Owned<BIO> open_text(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Owned<X509> next_certificate(BIO* pem) {
  return Owned<X509>(PEM_read_bio_X509(pem, nullptr, no_passphrase, nullptr));
}

// HTTP/1.1 is chosen where the client offers it; one that offers others only is not refused, as it
// would be told nothing it can use.
int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* offered, unsigned int size, void* /*data*/) {
  static constexpr std::array<unsigned char, 9> kHttp11 = {8,   'h', 't', 't', 'p',
                                                           '/', '1', '.', '1'};
  unsigned char* selected = nullptr;
  const int found =
      SSL_select_next_proto(&selected, length, kHttp11.data(), kHttp11.size(), offered, size);
  *chosen = selected;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(std::max(0, ASN1_STRING_length(text)))};
}

std::string address_of(const ASN1_OCTET_STRING* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int length = ASN1_STRING_length(address);
  if (length != 4 && length != 16) return "";
  const int family = length == 4 ? AF_INET : AF_INET6;
  return inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size()) == nullptr
             ? ""
             : text.data();
}

}  // namespace

std::vector<std::string> subject_alternative_names(X509* certificate) {
  std::vector<std::string> out;
  const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI)
      out.push_back(text_of(name->d.ia5));
    if (name->type == GEN_IPADD) out.push_back(address_of(name->d.iPAddress));
  }
  return out;
}

Result<std::unique_ptr<TlsContext>> TlsContext::create(const TlsConfig& config) {
  std::unique_ptr<TlsContext> out(new TlsContext);
  ERR_clear_error();
  out->context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = out->context_.get();
  if (context == nullptr) return tls_error("TLS", "cannot be set up");
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  // A buffer may move between two tries, and idle connections hold none.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  if (auto chosen = out->set_choices(config); !chosen) return std::move(chosen).error();
  if (auto loaded = out->load_own(config); !loaded) return std::move(loaded).error();
  if (auto loaded = out->load_authorities(config); !loaded) return std::move(loaded).error();
  out->set_client_policy(config);
  return out;
}

Status TlsContext::set_choices(const TlsConfig& config) {
  SSL_CTX* context = context_.get();
  if (config.prefer_server_ciphers) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  const bool accepted =
      SSL_CTX_set_min_proto_version(context, config.min_version) == 1 &&
      SSL_CTX_set_max_proto_version(context, config.max_version) == 1 &&
      (config.ciphers.empty() || SSL_CTX_set_cipher_list(context, config.ciphers.c_str()) == 1) &&
      (config.cipher_suites.empty() ||
       SSL_CTX_set_ciphersuites(context, config.cipher_suites.c_str()) == 1) &&
      (config.groups.empty() || SSL_CTX_set1_groups_list(context, config.groups.c_str()) == 1);
  if (!accepted) return tls_error("tls_server_config", "versions or suites are not supported here");
  return Done{};
}

Status TlsContext::load_own(const TlsConfig& config) {
  const std::string certificate_name = name_of(config.certificate, "cert");
  const std::string key_name = name_of(config.key, "key");
  auto text = pem_text(config.certificate);
  if (!text) return std::move(text).error();
  const Owned<BIO> chain = open_text(*text);
  const Owned<X509> leaf = next_certificate(chain.get());
  if (!leaf || SSL_CTX_use_certificate(context_.get(), leaf.get()) != 1)
    return tls_error(certificate_name, "holds no certificate in PEM");
  while (Owned<X509> issuer = next_certificate(chain.get())) {
    if (SSL_CTX_add1_chain_cert(context_.get(), issuer.get()) != 1)
      return tls_error(certificate_name, "has a chain that cannot be used");
  }
  ERR_clear_error();  // the end of the file
  auto key_text = pem_text(config.key);
  if (!key_text) return std::move(key_text).error();
  const Owned<BIO> pem = open_text(*key_text);
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(pem.get(), nullptr, no_passphrase, nullptr));
  OPENSSL_cleanse(key_text->data(), key_text->size());
  if (!key) return tls_error(key_name, "holds no private key in PEM without a passphrase");
  if (SSL_CTX_use_PrivateKey(context_.get(), key.get()) != 1 ||
      SSL_CTX_check_private_key(context_.get()) != 1)
    return tls_error(key_name, "is not the key of " + certificate_name);
  return Done{};
}

Status TlsContext::load_authorities(const TlsConfig& config) {
  if (!config.client_authorities.given()) return Done{};
  const std::string name = name_of(config.client_authorities, "client_ca");
  auto text = pem_text(config.client_authorities);
  if (!text) return std::move(text).error();
  const Owned<BIO> pem = open_text(*text);
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  // As exporter-toolkit takes them: each is trusted, also one that another authority has signed.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  size_t count = 0;
  while (Owned<X509> authority = next_certificate(pem.get())) {
    if (X509_STORE_add_cert(store, authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context_.get(), authority.get()) != 1)
      return tls_error(name, "has a certificate that cannot be used");
    ++count;
  }
  if (count == 0) return tls_error(name, "holds no certificate in PEM");
  ERR_clear_error();  // the end of the file
  return Done{};
}

void TlsContext::set_client_policy(const TlsConfig& config) {
  const ClientAuth policy = config.client_auth;
  if (policy == ClientAuth::kNone) return;
  verifies_ = policy == ClientAuth::kVerifyIfGiven || policy == ClientAuth::kRequireAndVerify;
  allowed_sans_ = config.client_allowed_sans;
  const bool required =
      policy == ClientAuth::kRequireAny || policy == ClientAuth::kRequireAndVerify;
  SSL_CTX_set_verify(context_.get(),
                     SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_CTX_set_cert_verify_callback(context_.get(), &TlsContext::verify_client, this);
}

// Called when the client gave a certificate. 1: go on.
int TlsContext::verify_client(X509_STORE_CTX* store, void* self) {
  const auto* context = static_cast<const TlsContext*>(self);
  if (!context->verifies_) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  const int verified = X509_verify_cert(store);
  if (verified != 1 || context->allowed_sans_.empty()) return verified;
  const std::vector<std::string>& allowed = context->allowed_sans_;
  for (const std::string& name : subject_alternative_names(X509_STORE_CTX_get0_cert(store))) {
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) return 1;
  }
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

SslPtr TlsContext::accept(int fd) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return nullptr;
  SSL_set_accept_state(ssl.get());
  return ssl;
}

}  // namespace mapscope
