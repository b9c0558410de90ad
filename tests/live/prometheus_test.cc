// SPDX-License-Identifier: Apache-2.0
// The real Prometheus scrapes the agent and answers with the truth. HostOnly: needs prometheus(1)
// and promtool(1).
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/https_agent.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/prometheus_server.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

TEST(HostOnlyPrometheus, ScrapesTheAgentAndAnswersWithTheTruth) {
  LiveTarget target({"--inserts", "1000000"});
  LiveTarget idle({"--inserts", "1"});
  LiveAgent agent({"--pid", target.pid_text(), "--pid", idle.pid_text()});
  PrometheusServer prometheus(scrape_job("mapscope", agent.port()));
  ASSERT_TRUE(prometheus.await_ready()) << prometheus.log();
  ASSERT_EQ(target.run(), 0);
  const auto truth = static_cast<int64_t>(target.truth().growths.size());
  ASSERT_GT(truth, 0);
  EXPECT_TRUE(poll_until([&] { return prometheus.query("sum(mapscope_resizes_total)") == truth; }))
      << prometheus.query("sum(mapscope_resizes_total)") << " instead of " << truth << '\n'
      << prometheus.log();
  EXPECT_EQ(prometheus.query("sum(mapscope_resize_duration_seconds_count)"), truth);
  EXPECT_EQ(prometheus.query("up"), 1);
}

// One agent, asked in every way that is right or wrong.
TEST(HostOnlyPrometheus, ScrapesOverTlsWithTheRightPasswordOnly) {
  LiveTarget target({"--inserts", "100000"});
  LiveTarget idle({"--inserts", "1"});
  CertificateAuthority authority;
  HttpsAgent agent(authority, target,
                   "  client_auth_type: VerifyClientCertIfGiven\n"
                   "  client_ca_file: " +
                       authority.certificate() + "\n",
                   idle);
  const auto https = [&](const std::string& password, const Certificate& own = {}) {
    std::string keys = ", scheme: https, basic_auth: {username: scraper, password: " + password +
                       "}, tls_config: {ca_file: " + authority.certificate();
    if (!own.key.empty()) keys += ", cert_file: " + own.certificate + ", key_file: " + own.key;
    return keys + "}";
  };
  PrometheusServer prometheus(
      scrape_job("right", agent.port(), https("password")) +
      scrape_job("with_certificate", agent.port(), https("password", authority.issue("DNS:p"))) +
      scrape_job("wrong_password", agent.port(), https("passwort")) +
      scrape_job("plain_http", agent.port()) +
      scrape_job("expired", agent.port(), https("password", authority.issue("DNS:p", -1))));
  ASSERT_TRUE(prometheus.await_ready()) << prometheus.log();
  ASSERT_EQ(target.run(), 0);
  const auto truth = static_cast<int64_t>(target.truth().growths.size());
  const auto resizes = [&](const std::string& name) {
    return prometheus.query("sum(mapscope_resizes_total{job=\"" + name + "\"})");
  };
  EXPECT_TRUE(poll_until([&] { return resizes("right") == truth; })) << prometheus.log();
  EXPECT_TRUE(poll_until([&] { return resizes("with_certificate") == truth; }));
  for (const char* refused : {"wrong_password", "plain_http", "expired"}) {
    const std::string up = std::string("up{job=\"") + refused + "\"}";
    EXPECT_TRUE(poll_until([&] { return prometheus.query(up) == 0; })) << refused;
    EXPECT_EQ(resizes(refused), -1) << refused;
  }
}

TEST(HostOnlyPrometheus, ToolFindsNothingWrongWithLiveMetrics) {
  LiveTarget target({"--inserts", "100000", "--strategy", "mutex", "--threads", "4"});
  LiveTarget idle({"--inserts", "1"});
  LiveAgent agent({"--mode", "inserts", "--pid", target.pid_text(), "--pid", idle.pid_text()});
  ASSERT_EQ(target.run(), 0);
  ASSERT_TRUE(
      poll_until([&] { return agent.metric("mapscope_targets", {"state=\"attached\""}) == 1; }));
  const TemporaryDirectory directory;
  std::ofstream(directory / "metrics") << agent.get("/metrics").body;
  ChildProcess tool({"sh", "-c", "promtool check metrics < " + (directory / "metrics")});
  EXPECT_EQ(tool.wait(), 0);
  EXPECT_EQ(tool.out().text() + tool.err().text(), "");
}

}  // namespace
}  // namespace mapscope::test
