// SPDX-License-Identifier: Apache-2.0
// Which line of code made the map grow: with debug information the very line, without it still the
// module and the address, and every number as before.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

using Json = nlohmann::json;

bool has(const Json& text, const std::string& part) {
  return text.get<std::string>().find(part) != std::string::npos;
}

TEST(Stack, OfAGrowthLeadsFromTheMapToTheLineThatInserted) {
  LiveTarget target({"--inserts", "100000"});
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const std::vector<Json> resizes = agent.events("resize");
  ASSERT_GE(resizes.size(), 10U);
  for (const Json& resize : resizes) {
    const Json& site = resize.at("site");
    EXPECT_TRUE(has(site.at("function"), "mapscope::")) << site;
    EXPECT_FALSE(has(site.at("function"), "HashMap::")) << site;
    EXPECT_TRUE(has(site.at("file"), "target/")) << site;
    EXPECT_GT(site.at("line"), 0U) << site;
    const Json& stack = resize.at("stack");
    ASSERT_GE(stack.size(), 4U) << stack;
    EXPECT_EQ(stack.front().at("function"), "mapscope_map_grow");
    size_t of_worker = 0;
    for (const Json& frame : stack) {
      of_worker += has(frame.value("function", ""), "mapscope::Run::work") ? 1 : 0;
    }
    EXPECT_EQ(of_worker, 1U) << stack;
  }
}

// What the limit leaves out is found again by its return address.
TEST(Stack, BeyondTheRateLimitIsThatOfTheSameCaller) {
  LiveTarget target({"--workload", "tiny", "--inserts", load_size(20'000)});
  LiveTarget idle({"--inserts", "1"});
  LiveAgent agent(
      {"--stacks-per-second", "1", "--pid", target.pid_text(), "--pid", idle.pid_text()});
  ASSERT_EQ(target.run(), 0);
  ASSERT_TRUE(poll_until([&] { return agent.metric("mapscope_stacks_skipped_total") > 0; }));
  ASSERT_EQ(idle.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const std::vector<Json> resizes = agent.events("resize");
  ASSERT_EQ(resizes.size(), target.truth().growths.size());
  for (const Json& resize : resizes) {
    ASSERT_EQ(resize.at("site"), resizes.front().at("site"));
  }
}

// Needs strip(1).
TEST(HostOnlyStack, OfAStrippedProgramHasModulesAndAddresses) {
  const TemporaryDirectory directory;
  const std::string stripped = directory / "stripped";
  ChildProcess strip({"strip", "-o", stripped, target_path()});
  ASSERT_EQ(strip.wait(), 0) << strip.err().text();
  LiveTarget target({"--inserts", "1000000"}, {}, stripped);
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  EXPECT_EQ(difference(target.truth().growths, agent.growths()), "");
  for (const Json& resize : agent.events("resize")) {
    const Json& stack = resize.at("stack");
    EXPECT_GE(stack.size(), 4U) << stack;
    size_t in_target = 0;
    for (const Json& frame : stack) {
      if (frame.contains("function")) continue;
      EXPECT_TRUE(frame.at("addr").get<std::string>().starts_with("0x")) << frame;
      in_target += frame.at("module") == stripped ? 1 : 0;
    }
    EXPECT_GE(in_target, 2U) << stack;
    EXPECT_FALSE(resize.at("site").contains("line")) << resize;
  }
}

}  // namespace
}  // namespace mapscope::test
