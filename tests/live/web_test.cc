// SPDX-License-Identifier: Apache-2.0
// What the web server shows of a live run agrees with the events and the truth.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

using Json = nlohmann::json;

// A target that has run to its end, beside one that keeps the agent alive.
class WebOfALiveRun : public testing::Test {
 protected:
  WebOfALiveRun()
      : idle_({"--inserts", "1"}),
        target_({"--inserts", "200000"}),
        agent_({"--pid", target_.pid_text(), "--pid", idle_.pid_text()}) {}

  void SetUp() override {
    ASSERT_EQ(target_.run(), 0);
    ASSERT_TRUE(
        poll_until([&] { return agent_.metric("mapscope_targets", {"state=\"attached\""}) == 1; }));
    truth_ = target_.truth().growths;
    ASSERT_FALSE(truth_.empty());
  }

  Json page(const std::string& path) {
    const HttpAnswer answer = agent_.get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_TRUE(answer.headers.at("content-type").starts_with("application/json")) << path;
    return Json::parse(answer.body);
  }

  LiveTarget idle_;
  LiveTarget target_;
  LiveAgent agent_;
  std::vector<Growth> truth_;
};

TEST_F(WebOfALiveRun, IsHealthyAndReady) {
  EXPECT_EQ(agent_.get("/-/healthy").status, 200);
  EXPECT_EQ(agent_.get("/-/ready").status, 200);
}

TEST_F(WebOfALiveRun, LandingPageNamesTheTargetAndLinksTheMetrics) {
  const HttpAnswer answer = agent_.get("/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find(idle_.pid_text()), std::string::npos);
  EXPECT_NE(answer.body.find("href=\"/metrics\""), std::string::npos);
}

TEST_F(WebOfALiveRun, ResizesEqualTheTruth) {
  std::vector<Growth> shown;
  const Json resizes = page("/api/v1/resizes");
  for (const Json& resize : resizes.at("resizes")) {
    shown.push_back(growth_of_event(resize));
  }
  EXPECT_EQ(difference(truth_, shown), "");
}

TEST_F(WebOfALiveRun, ResizesCanBeLimitedToTheLast) {
  const Json resizes = page("/api/v1/resizes?limit=2").at("resizes");
  ASSERT_EQ(resizes.size(), 2U);
  EXPECT_TRUE(growth_of_event(resizes.at(1)).same_fact(truth_.back()));
}

TEST_F(WebOfALiveRun, TargetsTellTheLivingFromTheGone) {
  const Json targets = page("/api/v1/targets").at("targets");
  ASSERT_EQ(targets.size(), 2U);
  for (const Json& target : targets) {
    EXPECT_EQ(target.at("state"), target.at("pid") == idle_.pid() ? "attached" : "gone") << target;
    EXPECT_EQ(target.at("runtime"), "cxx_target");
  }
}

TEST_F(WebOfALiveRun, SitesAddUpToTheTruth) {
  uint64_t resizes = 0;
  uint64_t most_entries = 0;
  const Json sites = page("/api/v1/sites");
  for (const Json& site : sites.at("sites")) {
    resizes += site.at("resizes").get<uint64_t>();
    most_entries = std::max(most_entries, site.at("max_entries").get<uint64_t>());
  }
  EXPECT_EQ(resizes, truth_.size());
  EXPECT_EQ(most_entries, truth_.back().entries + 1);
}

TEST_F(WebOfALiveRun, MetricsAddUpToTheTruth) {
  EXPECT_EQ(agent_.metric("mapscope_resizes_total", {"kind=\"grow\"", "trigger=\"load\""}),
            truth_.size());
  EXPECT_EQ(agent_.metric("mapscope_records_total", {"type=\"resize\""}), truth_.size());
  EXPECT_EQ(agent_.metric("mapscope_pending_resizes"), 0U);
}

}  // namespace
}  // namespace mapscope::test
