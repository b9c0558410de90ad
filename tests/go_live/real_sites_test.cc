// SPDX-License-Identifier: Apache-2.0
// Programs that nobody here wrote, watched as a user does who gives no option: nearly every growth
// has its line, and none has one that a run with every stack does not know.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/esbuild.h"
#include "tests/support/go_fixture.h"
#include "tests/support/live_agent.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

constexpr int kRuns = 5;

// Map type, function and line.
using Site = std::tuple<std::string, std::string, int>;

struct Seen {
  size_t growths = 0;
  size_t without_line = 0;
  std::set<Site> sites;
};

Seen watch(const std::vector<std::string>& options, const std::vector<std::string>& command) {
  std::vector<std::string> arguments = {"--follow"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.emplace_back("--");
  arguments.insert(arguments.end(), command.begin(), command.end());
  LiveAgent agent(arguments, LiveAgent::Until::kStarted);
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
  Seen seen;
  for (const json& resize : agent.events("resize")) {
    if (resize.at("runtime") == "sync_map") continue;
    ++seen.growths;
    const json site = resize.value("site", json::object());
    if (site.value("line", 0) == 0) {
      ++seen.without_line;
    } else {
      seen.sites.insert({resize.at("map").value("type", ""), site.at("function"), site.at("line")});
    }
  }
  return seen;
}

// With the default budget, which is not that of other tests. `longer`: options of the run that
// every line must be known of, which is watched from the beginning to the end.
void expect_lines(const std::vector<std::string>& command, size_t fewest,
                  std::vector<std::string> options = {}, std::vector<std::string> longer = {}) {
  options.insert(options.end(), {"--overhead-budget", "1%"});
  longer.insert(longer.end(), {"--stacks-per-second", "1000000"});
  const Seen seen = watch(options, command);
  // The last growth of a map does not end in every run: a site that was not met may be the next
  // time.
  std::set<Site> all;
  for (int run = 0; run < kRuns && !std::ranges::includes(all, seen.sites); ++run)
    all.merge(watch(longer, command).sites);
  EXPECT_GE(seen.growths, fewest);
  EXPECT_LE(seen.without_line * 100, seen.growths);
  for (const Site& site : seen.sites) {
    EXPECT_TRUE(all.contains(site))
        << std::get<0>(site) << " at " << std::get<1>(site) << ':' << std::get<2>(site);
  }
  testing::Test::RecordProperty("growths", static_cast<int>(seen.growths));
  testing::Test::RecordProperty("without_line", static_cast<int>(seen.without_line));
  testing::Test::RecordProperty("sites", static_cast<int>(seen.sites.size()));
}

class EsbuildSites : public testing::TestWithParam<Esbuild> {};

TEST_P(EsbuildSites, AreRightByDefault) {
  ASSERT_FALSE(GetParam().version.empty()) << kNoEsbuild;
  const TemporaryDirectory directory;
  write_modules(directory.path(), 300);
  std::ofstream(directory / "main.ts") << import_of_modules(".");
  expect_lines({GetParam().program, "--bundle", "--minify", "--log-level=warning",
                "--outfile=" + (directory / "main.js"), directory / "main.ts"},
               1000);
}

INSTANTIATE_TEST_SUITE_P(Live, EsbuildSites, testing::ValuesIn(esbuilds()),
                         [](const auto& test) { return test.param.test_name(); });

// One scrape of itself a second; a longer run, so that what is rare has been seen.
TEST(RealSites, OfPrometheusAreRightByDefault) {
  const TemporaryDirectory directory;
  const std::string config = directory / "prometheus.yml";
  std::ofstream(config) << "global: {scrape_interval: 1s}\nscrape_configs: []\n";
  expect_lines({"prometheus", "--config.file=" + config,
                "--storage.tsdb.path=" + (directory / "data"), "--web.listen-address=127.0.0.1:0"},
               100, {"--seconds", "4"}, {"--seconds", "10"});
}

TEST(RealSites, OfTheGoCompilerAreRightByDefault) {
  const char* root = std::getenv("MAPSCOPE_GO_FIXTURES");
  ASSERT_NE(root, nullptr) << kNoGoFixtures;
  const std::filesystem::path compiler = std::filesystem::path(root) / "other/compiler";
  ASSERT_TRUE(std::filesystem::exists(compiler / "compile")) << compiler;
  const TemporaryDirectory directory;
  std::vector<std::string> command = {
      compiler / "compile", "-p", "unicode", "-std", "-complete", "-o", directory / "unicode.o"};
  for (const auto& entry : std::filesystem::directory_iterator(compiler / "unicode"))
    command.push_back(entry.path());
  expect_lines(command, 500);
}

TEST(RealSites, OfPodmanAreRightByDefault) { expect_lines({"podman", "--help"}, 100); }

}  // namespace
}  // namespace mapscope::test
