// SPDX-License-Identifier: Apache-2.0
// What the agent costs the program that it watches, one that does nothing but insert: the C++ map
// of target/, and Go programs of the oldest and the newest toolchain.
//
// Every pair times the same inserts without and with a probe, one right after the other, in CPU
// time; the order alternates. Medians and ranges are over pairs of one run:
//   always_on   the agent, as it is by default, while known keys are set again: nothing is probed
//               that runs
//   always_on_fill  the same while maps fill from empty to a million entries
//   inserts     the agent with --mode inserts, while known keys are set again
//   empty       a BPF program that does nothing, at the very instructions that --mode inserts
//               probes: the floor
//   bpftrace    uprobe:BINARY:INSERT { @start[tid] = nsecs; }
//   funclatency of libbpf-tools, on the C++ map: a probe at the entry, another at the return
// and how near mapscope_target_overhead_seconds_total is to what is measured (meter_…).
// Needs root, bpftrace, funclatency, and MAPSCOPE_GO_FIXTURES. Takes six minutes.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/bench/support/probes.h"
#include "tests/bench/support/report.h"
#include "tests/bench/support/workload.h"
#include "tests/support/go_fixture.h"
#include "tests/support/live_agent.h"

namespace mapscope::test {
namespace {

const std::string kCxx = "cxx";
constexpr int kDefaultPairs = 20;
constexpr uint64_t kFilling = 3'000'000;
constexpr uint64_t kUpdating = 20'000'000;
constexpr uint64_t kProbed = 100'000;  // a probe on each

struct Comparison {
  Range ratio;     // probed to unprobed
  Range added_ns;  // per insert
};

Comparison compare(Workload& workload, const Attach& attach, uint64_t inserts, int pairs) {
  std::vector<double> ratios, added;
  for (int pair = 0; pair < pairs; ++pair) {
    const bool probed_first = pair % 2 != 0;
    double ns[2] = {};
    for (const bool probed : {probed_first, !probed_first}) {
      const Probe probe = probed ? attach(workload) : nullptr;
      workload.time(inserts / 10);
      ns[probed ? 1 : 0] = workload.time(inserts);
    }
    ratios.push_back(ns[1] / ns[0]);
    added.push_back(ns[1] - ns[0]);
  }
  return {range_of(ratios), range_of(added)};
}

// Seconds in probes, as the agent estimates them.
double estimated_seconds(const LiveAgent& agent) {
  std::istringstream text(agent.get("/metrics").body);
  const std::string name = "mapscope_target_overhead_seconds_total{";
  double sum = 0;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(name)) sum += std::stod(line.substr(line.rfind(' ')));
  }
  return sum;
}

// What the agent estimates against what is measured, of the time that probes add.
Range meter(Workload& workload, const std::string& mode, uint64_t inserts, int pairs) {
  std::vector<double> ratios;
  for (int pair = 0; pair < pairs; ++pair) {
    const double plain_ns = workload.time(inserts);
    const auto probe = agent_in_mode(mode)(workload);
    const auto& agent = *std::static_pointer_cast<LiveAgent>(probe);
    const double before = estimated_seconds(agent);
    const double probed_ns = workload.time(inserts);
    const double estimated_ns =
        (estimated_seconds(agent) - before) * 1e9 / static_cast<double>(workload.done());
    ratios.push_back(estimated_ns / (probed_ns - plain_ns));
  }
  return range_of(ratios);
}

void add(Report& report, const std::string& program, const std::string& what,
         const Comparison& result) {
  std::printf("%-10s %-15s %9.3f  %7.3f … %-8.3f %11.1f  %8.1f … %.1f\n", program.c_str(),
              what.c_str(), result.ratio.median, result.ratio.min, result.ratio.max,
              result.added_ns.median, result.added_ns.min, result.added_ns.max);
  std::fflush(stdout);
  report.keep(what + "_ratio_" + program, result.ratio);
  report.keep(what + "_added_ns_" + program, result.added_ns);
}

// Of the medians, what each adds. The largest, which is the worst, is kept without the program's
// name, too; that of C++ says little about bpftrace, which probes a nop there.
void add_ratio(Report& report, const std::string& name, const std::string& program,
               const Comparison& ours, const Comparison& other) {
  const double value = ours.added_ns.median / other.added_ns.median;
  std::printf("%-36s %.2f\n", (name + "_" + program).c_str(), value);
  report.keep(name + "_" + program, value);
  if (program != kCxx || name != "insert_hit_vs_bpftrace")
    report.keep(name, std::max(value, report.kept(name, 0)));
}

using MakeWorkload = std::function<std::unique_ptr<Workload>(Load)>;

void measure(const std::string& name, const MakeWorkload& make, int pairs, Report& report) {
  const auto filling = make(Load::kFill);
  add(report, name, "always_on_fill", compare(*filling, agent_in_mode("resizes"), kFilling, pairs));
  const auto updating = make(Load::kUpdate);
  add(report, name, "always_on", compare(*updating, agent_in_mode("resizes"), kUpdating, pairs));
  const Comparison inserts = compare(*updating, agent_in_mode("inserts"), kProbed, pairs);
  add(report, name, "inserts", inserts);
  const Comparison empty = compare(*updating, empty_probe, kProbed, pairs);
  add(report, name, "empty", empty);
  const Comparison traced = compare(*updating, bpftrace_probe, kProbed, pairs);
  add(report, name, "bpftrace", traced);
  add_ratio(report, "insert_hit_vs_empty_probe", name, inserts, empty);
  add_ratio(report, "insert_hit_vs_bpftrace", name, inserts, traced);
  // Its uretprobe moves return addresses, which a Go program does not survive.
  if (name == kCxx) {
    const Comparison timed = compare(*updating, funclatency_probe, kProbed, pairs);
    add(report, name, "funclatency", timed);
    add_ratio(report, "insert_hit_vs_funclatency", name, inserts, timed);
  }
  report.add("meter_inserts_" + name, meter(*updating, "inserts", kProbed, pairs));
  const auto growing = make(Load::kGrow);
  report.add("meter_resizes_" + name, meter(*growing, "resizes", kFilling, pairs));
}

int run(int pairs, const std::string& only, const std::string& json) {
  const std::vector<GoFixture> go = oldest_and_newest();
  Report report;
  std::printf("%d pairs\n%-10s %-15s %9s  %19s %11s  %s\n", pairs, "program", "probe", "ratio",
              "range", "ns added", "range");
  if (only.empty() || only == kCxx) measure(kCxx, cxx_workload, pairs, report);
  for (const auto& [name, fixture] :
       {std::pair("go_oldest", go.front()), {"go_newest", go.back()}}) {
    if (!only.empty() && only != name) continue;
    const std::string version = fixture.version;
    std::printf("%s is Go %s\n", name, version.c_str());
    measure(
        name, [&](Load load) { return go_workload(version, load); }, pairs, report);
  }
  report.write(json);
  return 0;
}

}  // namespace
}  // namespace mapscope::test

int main(int argc, char** argv) {
  const auto argument = [&](int i) { return i < argc ? std::string(argv[i]) : std::string(); };
  if (argument(1) == "--help") {
    std::printf("usage: probe_cost_bench [PAIRS [cxx|go_oldest|go_newest|all [JSON-FILE]]]\n");
    return 0;
  }
  try {
    const int pairs = argc > 1 ? std::atoi(argv[1]) : mapscope::test::kDefaultPairs;
    const std::string only = argument(2) == "all" ? "" : argument(2);
    return mapscope::test::run(std::max(pairs, 1), only, argument(3));
  } catch (const std::exception& failure) {
    mapscope::test::give_up(failure.what());
  }
}
