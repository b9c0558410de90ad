// SPDX-License-Identifier: Apache-2.0
#include "agent/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mapscope {
namespace {

Result<Parsed> parse(std::vector<std::string> words) {
  words.insert(words.begin(), {"agent", "--pid", "1"});
  std::vector<char*> arguments;
  arguments.reserve(words.size());
  for (std::string& word : words) arguments.push_back(word.data());
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

WatchOptions watch(const std::vector<std::string>& words) {
  return parse(words).value().options.watch;
}

TEST(Options, DurationsHaveUnitsEverywhere) {
  EXPECT_EQ(watch({}).limit_ns, 0U);
  EXPECT_EQ(watch({"--seconds", "12"}).limit_ns, 12'000'000'000U);
  EXPECT_EQ(watch({"--seconds", "1.5s"}).limit_ns, 1'500'000'000U);
  EXPECT_EQ(watch({"--mode", "inserts", "--mode-seconds", "5m"}).mode_ns, 300'000'000'000U);
  EXPECT_EQ(watch({"--mode", "races"}).mode_ns, 60'000'000'000U);
  EXPECT_EQ(watch({"--mode", "races", "--mode-seconds", "0"}).mode_ns, 0U);
  EXPECT_EQ(watch({"--min-stall", "5ms"}).min_stall_ns, 5'000'000U);
  EXPECT_EQ(watch({"--min-stall=0"}).min_stall_ns, 0U);
  EXPECT_EQ(watch({}).min_stall_ns, std::nullopt);
}

TEST(Options, NoDurationIsOneLineThatNamesTheForms) {
  for (const char* option : {"--seconds", "--mode-seconds", "--min-stall"}) {
    const auto parsed = parse({option, "soon"});
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(parsed.error().text,
              std::string(option) +
                  ": 'soon' is no duration such as 5ms, 1.5s, 5m or a number of seconds; see "
                  "'agent --help'");
  }
}

TEST(Options, OutputIsAFileOrEventsJson) {
  EXPECT_EQ(watch({"-o", "file"}).output, "file");
  EXPECT_EQ(watch({"--output", "file"}).events, EventFormat::kText);
  EXPECT_EQ(watch({"--events", "summary"}).events, EventFormat::kSummary);
  EXPECT_EQ(watch({"-o", "-"}).output, "");
  EXPECT_EQ(watch({"-o", "-"}).events, EventFormat::kJson);
}

}  // namespace
}  // namespace mapscope
