// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tls_client.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>

#include "agent/web/tls_context.h"

namespace mapscope::test {
namespace {

std::string subject_of(SSL* ssl) {
  X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return "";
  std::array<char, 256> text{};
  X509_NAME_oneline(X509_get_subject_name(certificate), text.data(), text.size());
  return text.data();
}

}  // namespace

TlsAnswer https_exchange(uint16_t port, const std::string& request, const TlsOptions& options) {
  TlsAnswer answer;
  const UniqueFd fd = connect_to_server("127.0.0.1", port);
  const std::unique_ptr<SSL_CTX, SslDeleter> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_load_verify_file(context.get(), options.authority.c_str());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (!options.own.certificate.empty()) {
    SSL_CTX_use_certificate_file(context.get(), options.own.certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context.get(), options.own.key.c_str(), SSL_FILETYPE_PEM);
  }
  const SslPtr ssl(SSL_new(context.get()));
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), "127.0.0.1");
  SSL_set_fd(ssl.get(), fd.get());
  if (SSL_connect(ssl.get()) != 1) return answer;
  answer.server = subject_of(ssl.get());
  size_t count = 0;
  if (SSL_write_ex(ssl.get(), request.data(), request.size(), &count) != 1) return answer;
  std::string text;
  std::array<char, 65536> buffer{};
  while (SSL_read_ex(ssl.get(), buffer.data(), buffer.size(), &count) == 1)
    text.append(buffer.data(), count);
  answer.http = parse_http_answer(text);
  return answer;
}

std::string get_request(const std::string& path, const std::string& login) {
  std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!login.empty()) {
    std::string encoded(4 * ((login.size() + 2) / 3) + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                       reinterpret_cast<const unsigned char*>(login.data()),
                                       static_cast<int>(login.size()));
    encoded.resize(static_cast<size_t>(length));
    request += "Authorization: Basic " + encoded + "\r\n";
  }
  return request + "\r\n";
}

}  // namespace mapscope::test
