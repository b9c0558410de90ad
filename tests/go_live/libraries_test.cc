// SPDX-License-Identifier: Apache-2.0
// Several programs in one process: what is said of a record is true of the file that it comes from.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "tests/paths.h"
#include "tests/support/go_fixture.h"
#include "tests/support/go_growth.h"
#include "tests/support/selection.h"

namespace mapscope::test {
namespace {

using Json = nlohmann::json;

constexpr int kTries = 10;

// A C program that loads Go libraries, and the agent that watches it from before.
class Host {
 public:
  explicit Host(std::vector<std::string> options = {})
      : agent_([&] {
          options.insert(options.end(), {"--pid", program_.pid_text()});
          return options;
        }()) {}

  [[nodiscard]] LiveAgent& agent() { return agent_; }
  [[nodiscard]] ChildProcess& process() { return program_.process(); }
  void order(const std::string& line) { process().write_input(line + "\n"); }
  // Returns when it has done so.
  [[nodiscard]] bool obeys(const std::string& line) {
    order(line);
    return poll_until([&] {
             return process().out().text().find(line + "\n") != std::string::npos ||
                    !process().running();
           }) &&
           process().running();
  }
  // Returns when its probes are in place.
  [[nodiscard]] bool loads(const GoFixture& fixture) {
    const size_t before = times(agent_, "attached", program_.pid());
    return obeys("open " + fixture.program("library.so")) &&
           poll_until([&] { return times(agent_, "attached", program_.pid()) > before; });
  }

 private:
  WaitingProgram program_{{MAPSCOPE_FIXTURE_LIBRARY_HOST}};
  LiveAgent agent_;
};

class TwoGoLibraries : public testing::TestWithParam<bool> {
 protected:
  // Of classic and of swiss maps, in the order in which they are loaded.
  void SetUp() override {
    fixtures_ = shared_fixtures("library.so");
    ASSERT_GE(fixtures_.size(), 2U) << kNoGoFixtures;
    fixtures_.erase(fixtures_.begin(), fixtures_.end() - 2);
    if (GetParam()) std::swap(fixtures_[0], fixtures_[1]);
  }

  std::vector<GoFixture> fixtures_;
};

std::vector<Json> of_version(LiveAgent& agent, const std::string& kind, const Json& version) {
  std::vector<Json> events = agent.events(kind);
  std::erase_if(events, [&](const Json& event) { return event.value("version", "") != version; });
  return events;
}

TEST_P(TwoGoLibraries, AreEachReadAsTheyAre) {
  const TemporaryDirectory directory;
  Host host;
  for (const GoFixture& fixture : fixtures_) ASSERT_TRUE(host.loads(fixture));
  for (const GoFixture& fixture : fixtures_) {
    ASSERT_TRUE(host.obeys("call " + fixture.program("library.so") + " MapscopeGrow " +
                           (directory / fixture.version)))
        << host.process().err().text();
  }
  for (const GoFixture& fixture : fixtures_) {
    const std::string version = "version=\"go" + fixture.version;
    EXPECT_EQ(host.agent().metric("mapscope_target_info", {version}), 1U) << version;
  }
  host.process().close_input();
  ASSERT_EQ(host.agent().wait(), 0) << host.agent().process().err().text();
  for (const GoFixture& fixture : fixtures_) {
    const GoTruth truth = read_go_truth(directory / fixture.version);
    EXPECT_GT(truth.finished.size(), 10U);
    const Json& version = truth.totals.at("version");
    EXPECT_EQ(go_difference(truth, of_version(host.agent(), "resize", version)), "") << version;
    for (const Json& event : of_version(host.agent(), "resize", version)) {
      EXPECT_EQ(event.at("goroutine").at("status"), "running") << event;
      EXPECT_EQ(event.at("goroutine").at("start_function"), "main.MapscopeGrow.func1") << event;
    }
  }
}

TEST_P(TwoGoLibraries, InsertsAreOfTheRoomOfTheirFile) {
  const TemporaryDirectory directory;
  Host host({"--mode", "inserts"});
  for (const GoFixture& fixture : fixtures_) ASSERT_TRUE(host.loads(fixture));
  for (const GoFixture& fixture : fixtures_) {
    ASSERT_TRUE(host.obeys("call " + fixture.program("library.so") + " MapscopeGrow " +
                           (directory / fixture.version)))
        << host.process().err().text();
  }
  for (const std::string runtime : {"go_classic", "go_swiss"}) {
    EXPECT_EQ(host.agent().metric("mapscope_inserts_total",
                                  {"runtime=\"" + runtime + "\"", "map_type=\"map[int]int\""}),
              2000U)
        << runtime;
  }
}

// A library whose maps grow at each call: what a few calls cost fits into what the budget saves up,
// what many at once cost does not.
class Bursts {
 public:
  explicit Bursts(const GoFixture& fixture)
      : library_(fixture.program("library.so")), loaded_(host_.loads(fixture)) {}

  [[nodiscard]] bool loaded() const { return loaded_; }
  [[nodiscard]] bool grow() {
    const std::string truth = directory_ / std::to_string(calls_++);
    if (!host_.obeys("call " + library_ + " MapscopeGrow " + truth)) return false;
    growths_ += read_go_truth(truth).finished.size();
    return true;
  }
  [[nodiscard]] uint64_t steps(const char* step) {
    return metric("mapscope_overhead_budget_reached_total", "step", step);
  }
  // Until that has come off, which it does within 5,000 calls.
  [[nodiscard]] bool grow_until(const char* step) {
    while (steps(step) == 0)
      if (calls_ == 5000 || !grow()) return false;
    return true;
  }
  // Until the agent says so.
  [[nodiscard]] bool await_resumed() {
    return poll_until([&] {
      return host_.agent().process().err().text().find("whole stacks and times again") !=
             std::string::npos;
    });
  }
  // Once all growths are counted there is none under way.
  [[nodiscard]] uint64_t settled(const std::string& name, const std::string& label,
                                 const char* value) {
    EXPECT_TRUE(
        poll_until([&] { return host_.agent().metric("mapscope_resizes_total") == growths_; }));
    return metric(name, label, value);
  }

 private:
  uint64_t metric(const std::string& name, const std::string& label, const char* value) {
    return host_.agent().metric(name, {label + "=\"" + value + "\""});
  }

  const TemporaryDirectory directory_;
  Host host_{{"--overhead-budget", "0.05%", "--log.level", "info"}};
  std::string library_;
  bool loaded_;
  int calls_ = 0;
  uint64_t growths_ = 0;
};

TEST_P(TwoGoLibraries, WholeStacksComeBackSomeTimeAfterABurst) {
  Bursts bursts(fixtures_[0]);
  ASSERT_TRUE(bursts.loaded());
  ASSERT_TRUE(bursts.grow_until("stacks"));
  const auto stacks = [&] { return bursts.settled("mapscope_records_total", "type", "frames"); };
  const uint64_t in_burst = stacks();
  ASSERT_TRUE(bursts.grow());
  EXPECT_EQ(stacks(), in_burst);
  ASSERT_TRUE(bursts.await_resumed());
  EXPECT_EQ(bursts.steps("times") + bursts.steps("pause"), 0U);
  ASSERT_TRUE(bursts.grow());
  EXPECT_GT(stacks(), in_burst);
}

// A move that goes on after its insert has no stall when the end of that is not probed; it is not
// taken for one.
TEST(OldestGoLibrary, TimesComeBackSomeTimeAfterABurst) {
  const std::vector<GoFixture> fixtures = shared_fixtures("library.so");
  ASSERT_FALSE(fixtures.empty()) << kNoGoFixtures;
  ASSERT_TRUE(fixtures.front().has_classic_maps());
  Bursts bursts(fixtures.front());
  ASSERT_TRUE(bursts.loaded());
  ASSERT_TRUE(bursts.grow_until("times"));
  const auto stalls = [&] {
    return bursts.settled("mapscope_resize_stall_seconds_count", "map_type", "map[int]int");
  };
  const uint64_t in_burst = stalls();
  ASSERT_TRUE(bursts.grow());
  EXPECT_EQ(stalls(), in_burst);
  ASSERT_TRUE(bursts.await_resumed());
  EXPECT_EQ(bursts.steps("pause"), 0U);
  ASSERT_TRUE(bursts.grow());
  EXPECT_GT(stalls(), in_burst);
}

std::string goroutine_of(const std::string& said) {
  constexpr std::string_view kBefore = "\ngoroutine ";
  const size_t at = said.find(kBefore);
  if (at == std::string::npos) return "";
  const size_t begin = at + kBefore.size();
  return said.substr(begin, said.find(' ', begin) - begin);
}

// The words of two goroutines that die at once are mixed: then again.
TEST_P(TwoGoLibraries, FatalOfTheSecondIsToldAsItsRuntimeTellsIt) {
  std::string said;
  std::unique_ptr<Host> host;
  constexpr std::string_view kBegin = "fatal error: concurrent map";
  for (int tried = 0;
       said.find(kBegin) == std::string::npos || said.find(kBegin) != said.rfind(kBegin); ++tried) {
    ASSERT_LT(tried, kTries) << said;
    host = std::make_unique<Host>();
    for (const GoFixture& fixture : fixtures_) ASSERT_TRUE(host->loads(fixture));
    host->order("call " + fixtures_.back().program("library.so") + " MapscopeRace");
    EXPECT_NE(host->process().wait(), 0);
    ASSERT_EQ(host->agent().wait(), 0) << host->agent().process().err().text();
    said = host->process().err().text();
  }
  const std::string goroutine = goroutine_of(said);
  const std::vector<Json> fatals = host->agent().events("fatal");
  const auto named = std::ranges::find_if(fatals, [&](const Json& fatal) {
    return fatal.at("goroutine").at("id").dump() == goroutine;
  });
  ASSERT_NE(named, fatals.end()) << said << Json(fatals);
  EXPECT_TRUE(named->at("version").get<std::string>().starts_with("go" + fixtures_.back().version));
  ASSERT_TRUE(named->contains("site")) << *named;
  EXPECT_EQ(named->at("site").at("function"), "main.write") << *named;
}

INSTANTIATE_TEST_SUITE_P(Live, TwoGoLibraries, testing::Bool(), [](const auto& test) {
  return std::string(test.param ? "NewerFirst" : "OlderFirst");
});

class SharedFixture : public testing::TestWithParam<GoFixture> {
 protected:
  void SetUp() override { ASSERT_FALSE(GetParam().version.empty()) << kNoGoFixtures; }
};

TEST_P(SharedFixture, GoLibraryMakesNoGoProgramOfTheOneThatLoadsIt) {
  const std::string library = GetParam().program("library.so");
  LiveTarget target({"--threads", "8", "--growth", "stop_the_world", "--strategy", "mutex",
                     "--inserts", "100000", "--sleep-in-grow", "20000"},
                    {.urgent = true, .before_exec = [&] {
                       ::setenv("LD_PRELOAD", library.c_str(), 1);
                       // The target waits for it, and Go's threads begin before the target blocks
                       // it.
                       sigset_t blocked;
                       sigemptyset(&blocked);
                       sigaddset(&blocked, SIGUSR1);
                       pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
                     }});
  LiveAgent agent(target);
  ASSERT_EQ(target.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const std::vector<Growth> truth = target.truth().growths;
  std::vector<Growth> seen = agent.growths();
  sort_by_begin(seen);
  ASSERT_EQ(difference(truth, seen), "");
  size_t agreeing = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    ASSERT_TRUE(seen[i].blocked_threads) << seen[i];
    const uint64_t expected = truth[i].blocked_threads.value();
    agreeing +=
        expected <= *seen[i].blocked_threads + 1 && *seen[i].blocked_threads <= expected + 1;
  }
  EXPECT_GE(truth.size(), 10U);
  EXPECT_GE(agreeing, truth.size() - 1);
  for (const Json& event : agent.events("resize")) {
    EXPECT_FALSE(event.contains("goroutine")) << event;
    EXPECT_EQ(event.value("version", ""), "") << event;
    EXPECT_NE(event.value("site", Json::object()).value("function", ""), "") << event;
  }
}

class PluginFixture : public SharedFixture {};

TEST_P(PluginFixture, PluginHasTypesAndLinesOfItsOwn) {
  const TemporaryDirectory directory;
  WaitingProgram host(
      {GetParam().program("pluginhost"), GetParam().program("plugin.so"), directory / "truth"});
  LiveAgent agent({"--pid", host.pid_text()});
  host.begin();
  ASSERT_TRUE(poll_until([&] { return times(agent, "attached", host.pid()) == 2; }));
  host.begin();
  ASSERT_EQ(host.process().wait(), 0) << host.process().err().text();
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  std::vector<Json> events = agent.events("resize");
  std::erase_if(events, [](const Json& event) {
    return event.value("map", Json::object()).value("type", "") != "map[string]main.order";
  });
  const GoTruth truth = read_go_truth(directory / "truth");
  EXPECT_GT(truth.finished.size(), 5U);
  EXPECT_EQ(go_difference(truth, events), "");
  for (const Json& event : events) EXPECT_GT(event.value("new_bytes", 0U), 0U) << event;
}

auto fixtures_with(const char* program) {
  std::vector<GoFixture> fixtures = shared_fixtures(program);
  if (fixtures.empty()) fixtures.push_back({"", "no_fixtures", ""});
  return testing::ValuesIn(fixtures);
}

std::string name_of(const testing::TestParamInfo<GoFixture>& test) {
  return test.param.test_name();
}

INSTANTIATE_TEST_SUITE_P(Live, SharedFixture, fixtures_with("library.so"), name_of);
INSTANTIATE_TEST_SUITE_P(Live, PluginFixture, fixtures_with("plugin.so"), name_of);

}  // namespace
}  // namespace mapscope::test
