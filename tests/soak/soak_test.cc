// SPDX-License-Identifier: Apache-2.0
// A machine at work, watched for long: programs of several map implementations grow maps all the
// time, Go programs and short-lived processes come and go, a scraper asks about every second. The
// agent needs no more of anything than after its warm-up, and has told the whole truth.
//
// MAPSCOPE_SOAK_MINUTES (2): how long. MAPSCOPE_SOAK_JSON: a file for the table.
//
// Rule: in the second half the agent's resident memory is at no time more than 5 %, or 2 MiB where
// that is more, above its peak in the first half, in which caches fill; there are no more links and
// files.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <list>
#include <string>
#include <vector>

#include "agent/export/wall_clock.h"
#include "tests/support/go_fixture.h"
#include "tests/support/go_growth.h"
#include "tests/support/selection.h"

namespace mapscope::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kSamples = 12;
constexpr uint64_t kSlackBytes = 2U << 20U;
// Of processes that are there when a sample is taken. Each of hundreds brings as many: a leak is
// more.
constexpr uint64_t kOfTheMoment = 16;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Sample {
  double seconds = 0;
  uint64_t resident = 0;  // bytes
  uint64_t files = 0;
  uint64_t links = 0;
  double cpu_seconds = 0;
  uint64_t resizes = 0;
  uint64_t targets = 0;  // that are attached
};

class Soak {
 public:
  explicit Soak(double seconds) : seconds_(seconds) {
    // A growth every half second of each thread: what is measured is the agent, not the machine's
    // load.
    for (const char* strategy : {"mutex", "shared_mutex", "sharded", "sync_map", "copy_on_write"}) {
      const std::string keys = strategy == std::string("copy_on_write") ? "500" : "20000";
      start_lasting({"--strategy", strategy, "--threads", "2", "--keys", keys});
    }
    start_lasting({"--keys", "20000", "--growth", "stop_the_world"});
    agent_.emplace(std::vector<std::string>{"--all", "--overhead-budget", "1%"});
    for (LiveTarget& target : lasting_) {
      EXPECT_TRUE(await_attached(*agent_, target.pid()));
      target.begin();
    }
  }

  void run() {
    const auto begun = Clock::now();
    for (size_t step = 0; seconds_since(begun) < seconds_; ++step) {
      run_go(step);
      ChildProcess({"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true & done; wait"}).wait();
      ChildProcess({target_path(), "--inserts", "100"}).wait();
      EXPECT_EQ(agent_->get("/metrics").status, 200);
      const auto due = static_cast<double>(samples_.size() + 1) * seconds_ / kSamples;
      if (seconds_since(begun) >= due) take_sample(seconds_since(begun));
    }
  }

  void expect_flat() const {
    ASSERT_GE(samples_.size(), kSamples / 2);
    const auto half = samples_.begin() + static_cast<ptrdiff_t>(samples_.size() / 2);
    const auto most = [&](auto begin, auto end, auto member) {
      return (*std::max_element(
                 begin, end,
                 [&](const Sample& a, const Sample& b) { return a.*member < b.*member; })).*
             member;
    };
    const uint64_t warm = most(samples_.begin(), half, &Sample::resident);
    EXPECT_LE(most(half, samples_.end(), &Sample::resident),
              warm + std::max(warm / 20, kSlackBytes));
    EXPECT_LE(samples_.back().links, most(samples_.begin(), half, &Sample::links) + kOfTheMoment);
    EXPECT_LE(samples_.back().files, most(samples_.begin(), half, &Sample::files) + kOfTheMoment);
  }

  void expect_truth() {
    for (LiveTarget& target : lasting_) {
      target.process().signal(SIGINT);
      ASSERT_EQ(target.process().wait(), 0);
      ASSERT_TRUE(poll_until([&] { return times(*agent_, "gone", target.pid()) == 1; }));
      std::vector<Growth> truth = target.truth().growths;
      std::vector<Growth> seen = agent_->growths(target.pid());
      sort_by_begin(seen);  // they come as they end
      EXPECT_GT(truth.size(), 0U);
      EXPECT_EQ(seen.size(), truth.size());
      for (const uint64_t tid : tids_of(truth))
        EXPECT_EQ(difference(of_thread(truth, tid), of_thread(seen, tid)), "");
    }
    const KernelObjects held = kernel_objects_of(agent_->process().pid());
    EXPECT_EQ(interrupt(*agent_), 0) << agent_->process().err().text();
    EXPECT_TRUE(poll_until([&] { return count_existing(held) == 0; }));
    const auto lost = agent_->lost_resizes();
    // Of maps that are dropped while they grow; by others on this machine, too.
    EXPECT_EQ(total(lost), lost.contains("superseded") ? lost.at("superseded") : 0);
  }

  void print() const {
    std::printf("%8s %12s %6s %6s %8s %8s %9s\n", "seconds", "resident", "files", "links", "CPU",
                "targets", "resizes");
    for (const Sample& sample : samples_)
      std::printf("%8.0f %8lu KiB %6lu %6lu %6.1f s %8lu %9lu\n", sample.seconds,
                  sample.resident / 1024, sample.files, sample.links, sample.cpu_seconds,
                  sample.targets, sample.resizes);
    std::printf("the agent took %.2f %% of a core; %zu Go programs compared\n",
                samples_.empty() ? 0 : 100 * samples_.back().cpu_seconds / samples_.back().seconds,
                go_compared_);
    if (const char* path = std::getenv("MAPSCOPE_SOAK_JSON")) write_json(path);
  }

 private:
  void start_lasting(std::vector<std::string> load) {
    load.insert(load.end(), {"--seconds", "1000000", "--sleep-in-grow", "500000"});
    lasting_.emplace_back(load);
  }

  // The oldest and the newest in turn: one that tells its growths, and a busy service.
  void run_go(size_t step) {
    const std::vector<GoFixture> fixtures = oldest_and_newest();
    const GoFixture& fixture = fixtures[step % fixtures.size()];
    LiveTarget grow({"--load", "ints", "--maps", "20"}, {}, fixture.program("grow"));
    ASSERT_TRUE(await_attached(*agent_, grow.pid()));
    const uint64_t begun_ns = monotonic_now_ns();
    ASSERT_EQ(grow.run(), 0);
    ASSERT_TRUE(poll_until([&] { return times(*agent_, "gone", grow.pid()) == 1; }));
    std::vector<nlohmann::json> seen = agent_->events("resize");
    std::erase_if(seen, [&](const nlohmann::json& event) {
      return event.at("pid") != grow.pid() || event.at("begin_ns") < begun_ns;
    });
    EXPECT_EQ(go_difference(read_go_truth(grow.truth_path()), seen), "");
    ++go_compared_;
    WaitingProgram service(
        {fixture.program("service"), "--wait", "--seconds", "0.2", "--goroutines", "4"});
    service.begin();
    EXPECT_EQ(service.process().wait(), 0) << service.process().out().text();
  }

  void take_sample(double seconds) {
    Sample sample;
    sample.seconds = seconds;
    sample.resident = agent_->metric("process_resident_memory_bytes");
    sample.files = agent_->metric("process_open_fds");
    sample.links = link_count(*agent_);
    sample.cpu_seconds = static_cast<double>(agent_->metric("process_cpu_seconds_total"));
    sample.resizes = agent_->metric("mapscope_resizes_total");
    sample.targets = agent_->metric("mapscope_targets", {"state=\"attached\""});
    samples_.push_back(sample);
  }

  void write_json(const char* path) const {
    nlohmann::json rows = nlohmann::json::array();
    for (const Sample& sample : samples_)
      rows.push_back({{"seconds", sample.seconds},
                      {"resident_bytes", sample.resident},
                      {"open_files", sample.files},
                      {"links", sample.links},
                      {"cpu_seconds", sample.cpu_seconds},
                      {"targets", sample.targets},
                      {"resizes", sample.resizes}});
    std::ofstream(path) << rows.dump(2) << '\n';
  }

  double seconds_;
  std::list<LiveTarget> lasting_;
  std::optional<LiveAgent> agent_;
  std::vector<Sample> samples_;
  size_t go_compared_ = 0;
};

TEST(Soak, NeedsNoMoreAfterAWhileAndTellsTheTruth) {
  ASSERT_FALSE(go_fixtures().front().version.empty()) << kNoGoFixtures;
  const char* minutes = std::getenv("MAPSCOPE_SOAK_MINUTES");
  Soak soak(60 * (minutes == nullptr ? 2.0 : std::stod(minutes)));
  soak.run();
  soak.print();
  soak.expect_flat();
  soak.expect_truth();
}

}  // namespace
}  // namespace mapscope::test
