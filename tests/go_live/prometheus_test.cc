// SPDX-License-Identifier: Apache-2.0
// Debian's Prometheus while it scrapes and answers, watched again and again, in each mode. Its
// answers stay the same, and every resize is explained and keeps to the rules.
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/support/go_rules.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/prometheus_server.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

constexpr size_t kFewestResizes = 20;

// At a time of its own, so that the answer depends on nothing; some work for so little.
std::string constant_query() {
  std::string labels = "__name__";
  for (int i = 0; i < 30; ++i) labels += ",l" + std::to_string(i);
  return "/api/v1/query?time=1700000000&query=count%20by%20(" + labels + ")(vector(1))";
}

// Names of all series, and what a query of all of them counts.
void ask(PrometheusServer& prometheus) {
  for (const char* path :
       {"/api/v1/label/__name__/values", "/api/v1/targets/metadata", "/api/v1/metadata",
        "/api/v1/query?query=count%20by%20(__name__,le)(%7B__name__=~%22.%2B%22%7D)",
        "/api/v1/series?match[]=%7Bjob=%22mapscope%22%7D"}) {
    EXPECT_EQ(prometheus.get(path).status, 200) << path;
  }
}

void expect_rules(LiveAgent& agent) {
  const auto resizes = agent.events("resize");
  EXPECT_GE(resizes.size(), kFewestResizes);
  for (const json& resize : resizes) ASSERT_EQ(broken_rule(resize), "");
  EXPECT_EQ(broken_order(resizes), "");
  EXPECT_TRUE(agent.events("race").empty());
  EXPECT_TRUE(agent.events("fatal").empty());
  json lost = agent.summary().at("lost");
  // Maps that are dropped while they grow, and others that grow in their place.
  lost.erase("superseded");
  EXPECT_EQ(lost, json::object());
}

void watch_at_work(PrometheusServer& prometheus, const std::string& mode) {
  const std::string unwatched = prometheus.get(constant_query()).body;
  LiveAgent agent({"--mode", mode, "--pid", std::to_string(prometheus.process().pid())});
  EXPECT_TRUE(poll_until([&] {
    ask(prometheus);
    return agent.metric("mapscope_resizes_total") >= kFewestResizes;
  }));
  EXPECT_EQ(prometheus.get(constant_query()).body, unwatched);
  agent.process().signal(SIGINT);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  expect_rules(agent);
}

TEST(GoPrometheus, AnswersTheSameWhileItIsWatched) {
  LiveTarget idle({"--inserts", "1"});
  LiveAgent scraped(idle);
  PrometheusServer prometheus(scrape_job("mapscope", scraped.port()));
  ASSERT_TRUE(prometheus.await_ready()) << prometheus.log();
  ASSERT_TRUE(poll_until([&] { return prometheus.query("up") == 1; })) << prometheus.log();
  const std::string unwatched = prometheus.get(constant_query()).body;
  EXPECT_NE(unwatched.find("\"status\":\"success\""), std::string::npos) << unwatched;
  for (const char* mode : {"resizes", "inserts", "races"}) {
    SCOPED_TRACE(mode);
    watch_at_work(prometheus, mode);
    EXPECT_EQ(prometheus.get(constant_query()).body, unwatched);
  }
  EXPECT_EQ(prometheus.query("up"), 1);
  for (const char* word : {"level=error", "level=warn", "panic", "fatal"})
    EXPECT_EQ(prometheus.log().find(word), std::string::npos) << prometheus.log();
  prometheus.process().signal(SIGTERM);
  EXPECT_EQ(prometheus.process().wait(), 0);
}

}  // namespace
}  // namespace mapscope::test
