// SPDX-License-Identifier: Apache-2.0
// A program of a Go newer than those that were checked: every growth is an event, equal in every
// fact, and each is marked; or it is refused when that was asked for.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/go_fixture.h"
#include "tests/support/go_growth.h"
#include "tests/support/image_file.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

std::vector<GoFixture> newest_fixtures() {
  std::vector<GoFixture> newest;
  for (const GoFixture& fixture : go_fixtures()) {
    if (fixture.version.empty() || fixture.minor() == 27) newest.push_back(fixture);
  }
  return newest;
}

class UncheckedGo : public testing::TestWithParam<GoFixture> {
 protected:
  // A copy that says "go1.28" wherever the program says "go1.27".
  void SetUp() override {
    ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures;
    Bytes bytes = read_file(GetParam().program("grow"));
    const std::string known = "go1.27";
    const auto same = [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); };
    for (auto at = bytes.begin();; ++at) {
      at = std::search(at, bytes.end(), known.begin(), known.end(), same);
      if (at == bytes.end()) break;
      *(at + 5) = '8';
    }
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "grow";
};

INSTANTIATE_TEST_SUITE_P(Live, UncheckedGo, testing::ValuesIn(newest_fixtures()),
                         [](const auto& test) { return test.param.test_name(); });

TEST_P(UncheckedGo, IsWatchedAndMarked) {
  LiveTarget target({"--load", "ints", "--maps", "300"}, {}, path_);
  LiveAgent agent(target);
  EXPECT_EQ(agent.metric("mapscope_target_info", {R"(unverified="true")"}), 1U);
  ASSERT_EQ(target.run(), 0) << target.process().err().text();
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const GoTruth truth = read_go_truth(target.truth_path());
  const auto resizes = agent.events("resize");
  EXPECT_FALSE(resizes.empty());
  EXPECT_EQ(go_difference(truth, resizes), "");
  for (const auto& event : resizes) EXPECT_EQ(event.value("unverified", false), true) << event;
  EXPECT_TRUE(agent.lost_resizes().empty());
}

TEST_P(UncheckedGo, IsRefusedWhenThatIsAskedFor) {
  const LiveTarget target({"--load", "ints"}, {}, path_);
  LiveAgent agent({"--go.strict", "--pid", target.pid_text()}, LiveAgent::Until::kStarted);
  EXPECT_EQ(agent.wait(), 1);
  EXPECT_NE(agent.process().err().text().find("built with go1.28"), std::string::npos)
      << agent.process().err().text();
}

}  // namespace
}  // namespace mapscope::test
