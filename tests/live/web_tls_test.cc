// SPDX-License-Identifier: Apache-2.0
// The agent over TLS, with passwords and client certificates. HostOnly: needs openssl(1).
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "tests/support/https_agent.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

class HostOnlyWebTls : public testing::Test {
 protected:
  LiveTarget target_{{"--inserts", "1"}};
  CertificateAuthority authority_;
};

TEST_F(HostOnlyWebTls, OnlyTheRightPasswordIsAnswered) {
  const HttpsAgent agent(authority_, target_, "");
  const TlsAnswer right = agent.get("/metrics");
  EXPECT_EQ(right.http.status, 200);
  EXPECT_NE(right.http.body.find("\nmapscope_web_config_last_reload_successful 1\n"),
            std::string::npos);
  for (const char* wrong : {"scraper:passwort", "Scraper:password", "nobody:password", ""}) {
    const TlsAnswer answer = agent.get("/metrics", wrong);
    EXPECT_EQ(answer.http.status, 401) << wrong;
    EXPECT_EQ(answer.http.body, "unauthorized\n");
  }
  // Known by now: no bcrypt in the way.
  EXPECT_EQ(agent.get("/-/ready").http.status, 200);
}

TEST_F(HostOnlyWebTls, PlainHttpIsRefusedInPlainWords) {
  const HttpsAgent agent(authority_, target_, "");
  const UniqueFd fd = connect_to_server("127.0.0.1", agent.port());
  const std::string request = get_request("/metrics", kLogin);
  ASSERT_EQ(send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string text(4096, '\0');
  const ssize_t got = recv(fd.get(), text.data(), text.size(), 0);
  text.resize(static_cast<size_t>(std::max<ssize_t>(0, got)));
  EXPECT_TRUE(text.starts_with("HTTP/1.0 400 Bad Request\r\n")) << text;
  EXPECT_NE(text.find("HTTPS"), std::string::npos);
}

TEST_F(HostOnlyWebTls, ClientsNeedACertificateOfTheRightNameThatIsValid) {
  const HttpsAgent agent(authority_, target_,
                         "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: " +
                             authority_.certificate() +
                             "\n  client_allowed_sans: [prometheus.example, 10.1.2.3]\n");
  CertificateAuthority other;
  const auto status = [&](const Certificate& own) {
    return agent.get("/-/healthy", kLogin, own).http.status;
  };
  EXPECT_EQ(status(authority_.issue("DNS:prometheus.example")), 200);
  EXPECT_EQ(status(authority_.issue("DNS:x.example,IP:10.1.2.3")), 200);
  EXPECT_EQ(status({}), 0);
  EXPECT_EQ(status(authority_.issue("DNS:prometheus.example", -1)), 0);
  EXPECT_EQ(status(authority_.issue("DNS:x.prometheus.example")), 0);
  EXPECT_EQ(status(other.issue("DNS:prometheus.example")), 0);
  // A certificate is no password.
  EXPECT_EQ(agent.get("/-/healthy", "", authority_.issue("DNS:prometheus.example")).http.status,
            401);
}

TEST_F(HostOnlyWebTls, CertificateIsReplacedWhileRunning) {
  HttpsAgent agent(authority_, target_, "");
  EXPECT_EQ(agent.get("/-/healthy").server, "/CN=issued1");
  agent.install(authority_.issue("IP:127.0.0.1"));
  EXPECT_TRUE(poll_until([&] { return agent.get("/-/healthy").server == "/CN=issued2"; }));
}

TEST_F(HostOnlyWebTls, BrokenConfigurationLeavesTheOldOneInForce) {
  HttpsAgent agent(authority_, target_, "");
  agent.write_config("tls_server_config: {cert_flie: x}\n");
  const std::string metric = "\nmapscope_web_config_last_reload_successful ";
  EXPECT_TRUE(poll_until(
      [&] { return agent.get("/metrics").http.body.find(metric + "0\n") != std::string::npos; }));
  EXPECT_EQ(agent.get("/metrics", "scraper:no").http.status, 401);
  EXPECT_NE(agent.get("/").http.body.find("cert_flie is not a known key"), std::string::npos);
  const std::string said = agent.process().err().text();
  const size_t first = said.find("cert_flie");
  ASSERT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find("cert_flie", first + 1), std::string::npos) << "said twice: " << said;
  agent.write_config(agent.good_config());
  EXPECT_TRUE(poll_until(
      [&] { return agent.get("/metrics").http.body.find(metric + "1\n") != std::string::npos; }));
}

}  // namespace
}  // namespace mapscope::test
