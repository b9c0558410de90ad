// SPDX-License-Identifier: Apache-2.0
#include "tests/support/certificates.h"

#include <fstream>
#include <stdexcept>

#include "tests/support/child_process.h"

namespace mapscope::test {
namespace {

constexpr const char* kNewKey = " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ";

}  // namespace

// Not the machine's configuration, which may not be there.
CertificateAuthority::CertificateAuthority() {
  std::ofstream(directory_ / "openssl.cnf") << "[req]\ndistinguished_name = name\n[name]\n";
  openssl(
      "req -config openssl.cnf -x509 -days 2 -subj /CN=authority -out ca.pem "
      "-addext basicConstraints=critical,CA:TRUE" +
      std::string(kNewKey) + "ca.key");
}

void CertificateAuthority::openssl(const std::string& arguments) const {
  ChildProcess process({"sh", "-c", "cd " + directory_.path() + " && openssl " + arguments});
  if (process.wait() != 0) throw std::runtime_error("openssl: " + process.err().text());
}

Certificate CertificateAuthority::issue(const std::string& names, int days) {
  const std::string stem = "issued" + std::to_string(++issued_);
  std::ofstream(directory_ / (stem + ".ext")) << "subjectAltName=" << names << "\n";
  openssl("req -config openssl.cnf -subj /CN=" + stem + kNewKey + stem + ".key -out " + stem +
          ".csr");
  openssl("x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days " + std::to_string(days) +
          " -in " + stem + ".csr -extfile " + stem + ".ext -out " + stem + ".pem");
  return {directory_ / (stem + ".pem"), directory_ / (stem + ".key")};
}

}  // namespace mapscope::test
