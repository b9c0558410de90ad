// SPDX-License-Identifier: Apache-2.0
// tests/support/certificates.h – certificates for a test, made by openssl(1) in milliseconds.
#pragma once

#include <string>

#include "tests/support/temporary_directory.h"

namespace mapscope::test {

struct Certificate {
  std::string certificate;  // paths of PEM files
  std::string key;
};

class CertificateAuthority {
 public:
  CertificateAuthority();

  [[nodiscard]] std::string certificate() const { return directory_ / "ca.pem"; }
  // For `names` as openssl writes them: "DNS:a.example,IP:127.0.0.1". Valid from now on for `days`;
  // -1: it ended yesterday.
  Certificate issue(const std::string& names, int days = 2);

 private:
  void openssl(const std::string& arguments) const;

  TemporaryDirectory directory_;
  int issued_ = 0;
};

}  // namespace mapscope::test
