// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "target/load/child.h"
#include "target/load/modes.h"
#include "target/map/clock.h"

namespace mapscope {
namespace {

constexpr uint64_t kQuietNs = 2'000'000'000;  // a run that is over by then shows no progress

struct Tally {
  std::vector<uint64_t> fatal_ns;              // from the start of the workers to the fatal error
  std::map<std::string, uint64_t> by_message;  // of the fatal errors
  std::map<std::string, uint64_t> otherwise;   // how tries died that did not say why
  uint64_t survived = 0;

  void add(int status, const RunTotals& totals) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      ++survived;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 2 && totals.fatal != 0) {
      fatal_ns.push_back(totals.end_ns - totals.start_ns);
      ++by_message[totals.message.data()];
    } else {
      ++otherwise[WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                      : fmt::format("exit status {}", WEXITSTATUS(status))];
    }
  }
  // REQUIRES: fatal_ns is sorted and not empty.
  [[nodiscard]] uint64_t percentile_ns(double share) const {
    const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(fatal_ns.size())));
    return fatal_ns[std::max<size_t>(rank, 1) - 1];
  }
};

constexpr std::pair<const char*, double> kPercentiles[] = {
    {"min", 0}, {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};

void print_json(const LoadOptions& options, const Tally& tally) {
  nlohmann::json times = nlohmann::json::object();
  if (!tally.fatal_ns.empty()) {
    for (const auto& [name, share] : kPercentiles) times[name] = tally.percentile_ns(share);
  }
  const nlohmann::json result = {{"strategy", name_of(options.strategy)},
                                 {"threads", options.threads},
                                 {"tries", options.repeat},
                                 {"fatal", tally.fatal_ns.size()},
                                 {"survived", tally.survived},
                                 {"messages", tally.by_message},
                                 {"died_otherwise", tally.otherwise},
                                 {"time_to_fatal_ns", times}};
  fmt::print("{}\n", result.dump());
}

void print_text(const LoadOptions& options, const Tally& tally) {
  fmt::print("{} tries of {} with {} threads: {} fatal, {} survived", options.repeat,
             name_of(options.strategy), options.threads, tally.fatal_ns.size(), tally.survived);
  for (const auto& [how, count] : tally.otherwise)
    fmt::print(", {} died otherwise ({})", count, how);
  fmt::print("\n");
  for (const auto& [message, count] : tally.by_message) fmt::print("{:8}  {}\n", count, message);
  if (tally.fatal_ns.empty()) return;
  fmt::print("time to the fatal error:");
  for (const auto& [name, share] : kPercentiles) {
    fmt::print("  {} {:.1f} us", name, static_cast<double>(tally.percentile_ns(share)) * 1e-3);
  }
  fmt::print("\n");
}

}  // namespace

int repeat(const LoadOptions& options) {
  Tally tally;
  const uint64_t start_ns = monotonic_ns();
  uint64_t shown_ns = start_ns + kQuietNs;
  for (uint64_t done = 0; done < options.repeat; ++done) {
    if (const uint64_t now_ns = monotonic_ns(); now_ns > shown_ns) {
      fmt::print(stderr, "target: {} of {} tries\n", done, options.repeat);
      shown_ns = now_ns + kQuietNs;
    }
    RunRecord record(options.threads);
    const int status = run_in_child(options, record);
    if (status == -1) {
      fmt::print(stderr, "target: cannot start a child process: {}\n", std::strerror(errno));
      return 1;
    }
    tally.add(status, record.totals());
  }
  std::sort(tally.fatal_ns.begin(), tally.fatal_ns.end());
  options.json ? print_json(options, tally) : print_text(options, tally);
  return 0;
}

}  // namespace mapscope
