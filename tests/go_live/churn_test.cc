// SPDX-License-Identifier: Apache-2.0
// A whole node: processes of 40 binaries, C++ and Go, stripped and not, come and are killed at
// random under --all. What survives is counted as in its truth, and nothing is left behind.
//
// MAPSCOPE_CHURN_PROCESSES (40) run at once, for MAPSCOPE_CHURN_SECONDS (5). From a minute on the
// agent's memory has to be flat: in the second half at no time more than 5 %, or 2 MiB where that
// is more, above its peak in the first half, in which caches fill.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "agent/export/wall_clock.h"
#include "tests/support/go_fixture.h"
#include "tests/support/go_growth.h"
#include "tests/support/selection.h"

namespace mapscope::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kBinaries = 40;
constexpr double kSamples = 12;  // of the agent's memory
constexpr double kWarmSeconds = 30;
constexpr uint64_t kSlackKib = 2048;

size_t from_environment(const char* name, size_t otherwise) {
  const char* wanted = std::getenv(name);
  return wanted == nullptr ? otherwise : std::stoul(wanted);
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Binary {
  std::string path;
  bool is_go = false;
};

struct Process {
  bool is_go = false;
  std::unique_ptr<LiveTarget> target;
  uint64_t begun_ns = 0;  // what a program's start makes grow is not in its truth
};

// Every one another file of other bytes; every second one stripped.
std::vector<Binary> make_binaries(const TemporaryDirectory& directory) {
  std::vector<GoFixture> fixtures;
  for (const GoFixture& fixture : go_fixtures()) {
    if (fixture.build == "plain" || fixture.build == "stripped") fixtures.push_back(fixture);
  }
  std::vector<Binary> binaries;
  for (size_t i = 0; i < kBinaries; ++i) {
    Binary& binary = binaries.emplace_back();
    binary.is_go = i % 4 < 2;
    binary.path = directory / ("churn-" + std::to_string(i));
    const std::string from =
        binary.is_go ? fixtures[i % fixtures.size()].program("grow") : target_path();
    std::filesystem::copy_file(from, binary.path);
    if (!binary.is_go && i % 2 == 0 && ChildProcess({"strip", binary.path}).wait() != 0)
      throw std::runtime_error("strip does not work");
    std::ofstream(binary.path, std::ios::app) << "binary " << i;
  }
  return binaries;
}

class Churn {
 public:
  explicit Churn(std::vector<Binary> binaries) : binaries_(std::move(binaries)) {}

  void start_one() {
    const Binary& binary = binaries_[started_++ % binaries_.size()];
    const std::vector<std::string> load =
        binary.is_go ? std::vector<std::string>{"--load", "ints", "--maps", "20"}
                     : std::vector<std::string>{"--inserts", "20000"};
    processes_.push_back(
        {binary.is_go, std::make_unique<LiveTarget>(load, SpawnOptions{}, binary.path)});
  }
  // Kills one or lets one run that is watched; another takes its place.
  void step(LiveAgent& agent) {
    const size_t at = random_() % processes_.size();
    const bool spared = random_() % 4 == 0;
    if (spared) finish(agent, at);
    if (!spared) kill(at);
    start_one();
  }
  void finish(LiveAgent& agent, size_t at) {
    Process process = take(at);
    if (!await_attached(agent, process.target->pid())) {
      ADD_FAILURE() << process.target->pid_text() << " is not watched";
      return;
    }
    process.begun_ns = monotonic_now_ns();
    EXPECT_EQ(process.target->run(), 0) << process.target->process().err().text();
    ended_.push_back(std::move(process));
  }
  void kill(size_t at) {
    Process process = take(at);
    if (random_() % 2 == 0) process.target->begin();
    process.target->process().signal(SIGKILL);
    process.target->process().wait();
  }
  void expect_truths(LiveAgent& agent) const {
    std::map<pid_t, std::vector<nlohmann::json>> events;
    for (const nlohmann::json& event : agent.events("resize"))
      events[event.at("pid")].push_back(event);
    for (const Process& process : ended_) {
      std::vector<nlohmann::json>& seen = events[process.target->pid()];
      std::erase_if(seen, [&](const nlohmann::json& event) {
        return event.at("begin_ns") < process.begun_ns;
      });
      if (process.is_go) {
        EXPECT_EQ(go_difference(read_go_truth(process.target->truth_path()), seen), "");
        continue;
      }
      std::vector<Growth> growths;
      growths.reserve(seen.size());
      for (const nlohmann::json& event : seen) growths.push_back(growth_of_event(event));
      EXPECT_EQ(difference(process.target->truth().growths, growths), "");
    }
  }
  // An agent that is late after Ctrl-C resolves no more call sites.
  void await_told(LiveAgent& agent) const {
    for (const Process& process : ended_) {
      EXPECT_TRUE(poll_until([&] { return times(agent, "gone", process.target->pid()) > 0; }));
    }
  }
  [[nodiscard]] size_t running() const { return processes_.size(); }
  [[nodiscard]] size_t started() const { return started_; }
  [[nodiscard]] size_t ended() const { return ended_.size(); }
  void kill_all() {
    while (!processes_.empty()) kill(processes_.size() - 1);
  }

 private:
  Process take(size_t at) {
    Process process = std::move(processes_[at]);
    processes_.erase(processes_.begin() + static_cast<std::ptrdiff_t>(at));
    return process;
  }

  std::vector<Binary> binaries_;
  std::mt19937 random_{4711};
  std::vector<Process> processes_;
  std::vector<Process> ended_;
  size_t started_ = 0;
};

size_t open_files(LiveAgent& agent) { return agent.metric("process_open_fds"); }
size_t attached(LiveAgent& agent) {
  return agent.metric("mapscope_targets", {"state=\"attached\""});
}

void expect_flat(const std::vector<uint64_t>& resident_kib) {
  ASSERT_GE(resident_kib.size(), 4U);
  const auto half = resident_kib.begin() + static_cast<std::ptrdiff_t>(resident_kib.size() / 2);
  const uint64_t warm = *std::max_element(resident_kib.begin(), half);
  EXPECT_LE(*std::max_element(half, resident_kib.end()), warm + std::max(warm / 20, kSlackKib));
}

TEST(Churn, SurvivorsAreCountedAndNothingLeaks) {
  ASSERT_FALSE(go_fixtures().front().version.empty()) << kNoGoFixtures;
  const size_t wanted = from_environment("MAPSCOPE_CHURN_PROCESSES", 40);
  const auto duration = static_cast<double>(from_environment("MAPSCOPE_CHURN_SECONDS", 5));
  const TemporaryDirectory directory;
  Churn churn(make_binaries(directory));
  while (churn.running() < wanted) churn.start_one();

  const auto started = Clock::now();
  LiveAgent agent({"--all", "--log.level", "info"});
  const double ready_s = seconds_since(started);
  EXPECT_GE(attached(agent), wanted);  // others may run on this machine
  const auto begun = Clock::now();
  std::vector<uint64_t> resident_kib;
  while (seconds_since(begun) < duration) {
    churn.step(agent);
    if (seconds_since(begun) * kSamples > duration * static_cast<double>(resident_kib.size()))
      resident_kib.push_back(agent.metric("process_resident_memory_bytes") / 1024);
  }
  // Half of what is left lives on to the end of the agent.
  while (churn.running() > wanted / 2) churn.finish(agent, 0);
  churn.await_told(agent);
  std::printf(
      "%zu processes of %zu binaries, ready after %.2f s; %zu started in all, %zu compared; "
      "agent: %lu s of CPU in %.0f s, resident KiB:",
      wanted, kBinaries, ready_s, churn.started(), churn.ended(),
      agent.metric("process_cpu_seconds_total"), seconds_since(started));
  for (const uint64_t kib : resident_kib) std::printf(" %lu", kib);
  if (duration >= 2 * kWarmSeconds) expect_flat(resident_kib);
  const KernelObjects held = kernel_objects_of(agent.process().pid());
  const auto asked = Clock::now();
  EXPECT_EQ(interrupt(agent), 0) << agent.process().err().text();
  const double stop_s = seconds_since(asked);
  std::printf("\nended in %.2f s with %zu links\n", stop_s, held.links.size());
  EXPECT_TRUE(poll_until([&] { return count_existing(held) == 0; }));
  churn.expect_truths(agent);
  // Others on this machine may lose what they like, but not by the agent's being late.
  const nlohmann::json lost = agent.summary().at("lost");
  EXPECT_FALSE(lost.contains("ring_full_resize") || lost.contains("queue_full_resize")) << lost;
  EXPECT_FALSE(lost.contains("ring_full_process")) << lost;
}

TEST(Churn, AgentIsAsBeforeWhenAllAreGone) {
  ASSERT_FALSE(go_fixtures().front().version.empty()) << kNoGoFixtures;
  const TemporaryDirectory directory;
  Churn churn(make_binaries(directory));
  LiveAgent agent({"--comm", "churn-*"});
  const size_t files = open_files(agent);
  const KernelObjects before = kernel_objects_of(agent.process().pid());
  while (churn.running() < kBinaries) churn.start_one();
  ASSERT_TRUE(poll_until([&] { return attached(agent) == kBinaries; }));
  EXPECT_GT(link_count(agent), before.links.size() + kBinaries);
  churn.kill_all();
  EXPECT_TRUE(poll_until([&] { return attached(agent) == 0; }));
  EXPECT_TRUE(poll_until([&] { return link_count(agent) == before.links.size(); }));
  EXPECT_TRUE(poll_until([&] { return open_files(agent) <= files; })) << open_files(agent);
  const KernelObjects after = kernel_objects_of(agent.process().pid());
  EXPECT_EQ(after.maps, before.maps);
  EXPECT_EQ(after.programs, before.programs);
  EXPECT_EQ(interrupt(agent), 0);
}

}  // namespace
}  // namespace mapscope::test
