// SPDX-License-Identifier: Apache-2.0
// What the web server shows of a live run agrees with the events and the truth.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

using Json = nlohmann::json;

// A target that has run to its end, beside one that keeps the agent alive.
struct LiveRun {
  LiveTarget idle{{"--inserts", "1"}};
  LiveTarget target{{"--inserts", "200000"}};
  LiveAgent agent{{"--pid", target.pid_text(), "--pid", idle.pid_text()}};
  std::vector<Growth> truth;
};

// All tests look at one run, and change nothing of it.
class WebOfALiveRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    live_run = std::make_unique<LiveRun>();
    ASSERT_EQ(live_run->target.run(), 0);
    ASSERT_TRUE(poll_until(
        [] { return live_run->agent.metric("mapscope_targets", {"state=\"attached\""}) == 1; }));
    live_run->truth = live_run->target.truth().growths;
    ASSERT_FALSE(live_run->truth.empty());
  }
  static void TearDownTestSuite() { live_run.reset(); }
  void SetUp() override { ASSERT_NE(live_run, nullptr); }

  static Json page(const std::string& path) {
    const HttpAnswer answer = live_run->agent.get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_TRUE(answer.headers.at("content-type").starts_with("application/json")) << path;
    return Json::parse(answer.body);
  }

  static std::unique_ptr<LiveRun> live_run;
};
std::unique_ptr<LiveRun> WebOfALiveRun::live_run;

TEST_F(WebOfALiveRun, IsHealthyAndReady) {
  EXPECT_EQ(live_run->agent.get("/-/healthy").status, 200);
  EXPECT_EQ(live_run->agent.get("/-/ready").status, 200);
}

TEST_F(WebOfALiveRun, LandingPageNamesTheTargetAndLinksTheMetrics) {
  const HttpAnswer answer = live_run->agent.get("/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find(live_run->idle.pid_text()), std::string::npos);
  EXPECT_NE(answer.body.find("href=\"/metrics\""), std::string::npos);
}

TEST_F(WebOfALiveRun, ResizesEqualTheTruth) {
  std::vector<Growth> shown;
  const Json resizes = page("/api/v1/resizes");
  for (const Json& resize : resizes.at("resizes")) {
    shown.push_back(growth_of_event(resize));
  }
  EXPECT_EQ(difference(live_run->truth, shown), "");
}

TEST_F(WebOfALiveRun, ResizesCanBeLimitedToTheLast) {
  const Json resizes = page("/api/v1/resizes?limit=2").at("resizes");
  ASSERT_EQ(resizes.size(), 2U);
  EXPECT_TRUE(growth_of_event(resizes.at(1)).same_fact(live_run->truth.back()));
}

TEST_F(WebOfALiveRun, TargetsTellTheLivingFromTheGone) {
  const Json targets = page("/api/v1/targets").at("targets");
  ASSERT_EQ(targets.size(), 2U);
  for (const Json& target : targets) {
    EXPECT_EQ(target.at("state"), target.at("pid") == live_run->idle.pid() ? "attached" : "gone")
        << target;
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
  EXPECT_EQ(resizes, live_run->truth.size());
  EXPECT_EQ(most_entries, live_run->truth.back().entries + 1);
}

TEST_F(WebOfALiveRun, MetricsAddUpToTheTruth) {
  EXPECT_EQ(live_run->agent.metric("mapscope_resizes_total", {"kind=\"grow\"", "trigger=\"load\""}),
            live_run->truth.size());
  EXPECT_EQ(live_run->agent.metric("mapscope_records_total", {"type=\"resize\""}),
            live_run->truth.size());
  EXPECT_EQ(live_run->agent.metric("mapscope_pending_resizes"), 0U);
}

}  // namespace
}  // namespace mapscope::test
