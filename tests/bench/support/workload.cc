// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/support/workload.h"

#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "target/map/hash_map.h"
#include "tests/support/child_process.h"
#include "tests/support/go_fixture.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

constexpr uint64_t kUpdateKeys =
    10'000;  // fits the caches: what a probe costs is not hidden by misses
constexpr uint64_t kFillKeys = 1'000'000;

constexpr uint64_t kGrowKeys = 1'000;

uint64_t keys_of(Load load) {
  if (load == Load::kGrow) return kGrowKeys;
  return load == Load::kUpdate ? kUpdateKeys : kFillKeys;
}

double thread_ns() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void insert_all(HashMap& map, uint64_t keys) {
  for (uint64_t key = 0; key < keys; ++key) map.insert(key, key);
}

class CxxWorkload final : public Workload {
 public:
  explicit CxxWorkload(Load load) : load_(load) { insert_all(map_, kUpdateKeys); }

  [[nodiscard]] int pid() const override { return ::getpid(); }
  [[nodiscard]] std::string path() const override {
    return "/proc/" + std::to_string(::getpid()) + "/exe";
  }
  [[nodiscard]] std::string insert() const override { return "mapscope_map_insert"; }

  double time(uint64_t inserts) override {
    const uint64_t keys = keys_of(load_);
    const double start = thread_ns();
    for (done_ = 0; done_ < inserts; done_ += keys) {
      if (load_ == Load::kUpdate) {
        insert_all(map_, keys);
      } else {
        HashMap fresh;
        insert_all(fresh, keys);
      }
    }
    return (thread_ns() - start) / static_cast<double>(done_);
  }
  [[nodiscard]] uint64_t done() const override { return done_; }

 private:
  Load load_;
  HashMap map_;
  uint64_t done_ = 0;
};

class GoWorkload final : public Workload {
 public:
  GoWorkload(const std::string& path, Load load)
      : path_(path),
        process_({path, "--repeat", "--keys", std::to_string(keys_of(load)), "--load",
                  load == Load::kUpdate ? "update" : "fill"}) {
    next_line();  // ready
  }

  [[nodiscard]] int pid() const override { return process_.pid(); }
  [[nodiscard]] std::string path() const override { return path_; }
  [[nodiscard]] std::string insert() const override { return "runtime.mapassign_fast64"; }

  double time(uint64_t inserts) override {
    process_.write_input(std::to_string(inserts) + "\n");
    const std::string line = next_line();
    done_ = static_cast<uint64_t>(number_in(line, "inserts="));
    return number_in(line, " cpu_ns_per_insert=");
  }
  [[nodiscard]] uint64_t done() const override { return done_; }

 private:
  std::string next_line() {
    std::vector<std::string> lines;
    const bool said = poll_until([&] {
      lines = process_.out().take_lines();
      return !lines.empty() || !process_.running();
    });
    if (!said || lines.empty()) give_up(path_ + " has ended: " + process_.err().text());
    return lines.front();
  }

  double number_in(const std::string& line, const std::string& name) const {
    const size_t at = line.find(name);
    if (at == std::string::npos) give_up(path_ + " said: " + line);
    return std::strtod(line.c_str() + at + name.size(), nullptr);
  }

  std::string path_;
  uint64_t done_ = 0;
  ChildProcess process_;
};

}  // namespace

void give_up(const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, why.c_str());
  std::exit(1);
}

std::unique_ptr<Workload> cxx_workload(Load load) { return std::make_unique<CxxWorkload>(load); }

std::unique_ptr<Workload> go_workload(const std::string& version, Load load) {
  for (const GoFixture& fixture : plain_fixtures()) {
    if (fixture.version == version)
      return std::make_unique<GoWorkload>(fixture.program("bench"), load);
  }
  give_up("no program of Go " + version + ": " + kNoGoFixtures);
}

}  // namespace mapscope::test
