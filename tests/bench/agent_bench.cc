// SPDX-License-Identifier: Apache-2.0
// What the agent itself takes, and how much it bears:
//   resizes_per_second  of one thread that does nothing but grow small maps; beside it what was
//                       lost of them, and the agent's CPU meanwhile, in percent of one core
//   idle_…              the agent with one target that does nothing
//   storm_until_pause   how long a program that does nothing but grow maps is probed before
//                       --overhead-budget stops it
//   targets_N_…         the same with N processes of one program: memory, and how long until all
//                       are attached
//   attach_N_…          probes put in and taken out by the kernel, N at a time
// Needs root. Takes two minutes.
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/overhead/self_probe.h"
#include "tests/bench/support/report.h"
#include "tests/bench/support/workload.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/process_status.h"
#include "tests/support/selection.h"

// As many places to probe as the last step of attach_N takes, each a nop of its own function.
extern "C" char mapscope_bench_places[];
__asm__(
    ".pushsection .text.mapscope_bench,\"ax\",@progbits\n.p2align 12\n"
    ".globl mapscope_bench_places\n.hidden mapscope_bench_places\nmapscope_bench_places:\n"
    ".rept 256\nnop\nret\n.p2align 4\n.endr\n.popsection\n");

namespace mapscope::test {
namespace {

constexpr int kRounds = 5;
constexpr size_t kPlaceBytes = 16;
constexpr auto kIdleTime = std::chrono::seconds(10);
constexpr uint64_t kGrowing = 20'000'000;  // inserts of one round

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double cpu_seconds(pid_t pid) {
  clockid_t clock = 0;
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    give_up("no CPU time of process " + std::to_string(pid));
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double rss_mb(pid_t pid) { return std::stod(thread_status(pid).front().at("VmRSS")) * 1024 / 1e6; }

// Once every resize of the workload has reached the metrics, or is counted as lost. Nothing tells
// which is the last: five looks of the agent at its ring without a new one do.
uint64_t settled_resizes(LiveAgent& agent) {
  uint64_t before = 0;
  uint64_t now = agent.metric("mapscope_resizes_total");
  while (now != before) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    before = std::exchange(now, agent.metric("mapscope_resizes_total"));
  }
  return now;
}

void measure_rate(Report& report) {
  std::vector<double> rates, lost, cpu;
  for (int round = 0; round < kRounds; ++round) {
    const auto growing = cxx_workload(Load::kGrow);
    LiveAgent agent({"--pid", std::to_string(growing->pid()), "--events", "none"});
    const pid_t pid = agent.process().pid();
    growing->time(kGrowing / 10);
    const uint64_t resizes = settled_resizes(agent);
    const double used = cpu_seconds(pid);
    const auto begin = Clock::now();
    growing->time(kGrowing);
    const double seconds = seconds_since(begin);
    const uint64_t more = settled_resizes(agent) - resizes;
    cpu.push_back(100 * (cpu_seconds(pid) - used) / seconds);
    rates.push_back(static_cast<double>(more) / seconds);
    lost.push_back(static_cast<double>(agent.metric("mapscope_records_lost_total")));
  }
  report.add("resizes_per_second", range_of(rates));
  report.add("resizes_lost", range_of(lost));
  report.add("resizes_agent_cpu", range_of(cpu), "% of a core");
}

void measure_idle(Report& report) {
  const LiveTarget target({"--inserts", "1"});
  LiveAgent agent(target, {"--events", "none"});
  const pid_t pid = agent.process().pid();
  std::vector<double> cpu, memory;
  for (int round = 0; round < kRounds; ++round) {
    const double used = cpu_seconds(pid);
    const auto begin = Clock::now();
    std::this_thread::sleep_for(kIdleTime);
    cpu.push_back(100 * (cpu_seconds(pid) - used) / seconds_since(begin));
    memory.push_back(rss_mb(pid));
  }
  report.add("idle_agent_cpu", range_of(cpu), "% of a core");
  report.add("idle_agent_rss", range_of(memory), "MB");
}

// From the first growth of a program that does nothing else until its probes are off.
void measure_storm(Report& report) {
  std::vector<double> passed;
  for (int round = 0; round < kRounds; ++round) {
    LiveTarget target({"--workload", "tiny", "--seconds", "600"});
    LiveAgent agent(target, {"--events", "none", "--overhead-budget", "1%"});
    const auto begin = Clock::now();
    target.begin();
    const bool paused = poll_until([&] {
      return agent.metric("mapscope_overhead_budget_reached_total", {"step=\"pause\""}) > 0;
    });
    if (!paused) give_up("a storm was not stopped");
    passed.push_back(seconds_since(begin) * 1e3);
  }
  report.add("storm_until_pause", range_of(passed), "ms");
}

void measure_targets(size_t count, Report& report) {
  const TemporaryDirectory directory;
  const std::string path = copy_of_target(directory, "store");
  std::vector<std::unique_ptr<LiveTarget>> targets;
  for (size_t i = 0; i < count; ++i)
    targets.push_back(std::make_unique<LiveTarget>(std::vector<std::string>{"--inserts", "1"},
                                                   SpawnOptions{}, path));
  std::vector<double> ready, memory;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    LiveAgent agent({"--exe", path, "--events", "none"});
    ready.push_back(seconds_since(begin) * 1e3);
    if (agent.metric("mapscope_targets", {"state=\"attached\""}) != count)
      give_up("not all processes are attached");
    memory.push_back(rss_mb(agent.process().pid()));
  }
  const std::string name = "targets_" + std::to_string(count);
  report.add(name + "_ready", range_of(ready), "ms");
  report.add(name + "_agent_rss", range_of(memory), "MB");
}

void measure_attach(size_t count, AttachMethod method, const std::string& name, Report& report) {
  std::vector<ProbedFunction> places;
  for (size_t i = 0; i < count; ++i)
    places.push_back(reinterpret_cast<ProbedFunction>(&mapscope_bench_places[i * kPlaceBytes]));
  std::vector<double> attach, detach;
  for (int round = 0; round < kRounds; ++round) {
    auto begin = Clock::now();
    auto probe = std::make_unique<Result<SelfProbe>>(SelfProbe::attach(places, method));
    attach.push_back(seconds_since(begin) * 1e3);
    if (!*probe) give_up(probe->error().text);
    begin = Clock::now();
    probe.reset();
    detach.push_back(seconds_since(begin) * 1e3);
  }
  const std::string what = std::to_string(count) + "_" + name;
  report.add("attach_" + what, range_of(attach), "ms");
  report.add("detach_" + what, range_of(detach), "ms");
}

void run(const std::string& json) {
  Report report;
  std::printf("%d rounds\n%-36s %10s  %23s\n", kRounds, "", "median", "range");
  measure_idle(report);
  measure_rate(report);
  measure_storm(report);
  for (const size_t count : {1U, 50U, 500U}) measure_targets(count, report);
  for (const size_t count : {4U, 16U, 64U, 256U})
    measure_attach(count, AttachMethod::kMulti, "multi", report);
  for (const size_t count : {4U, 16U, 64U})
    measure_attach(count, AttachMethod::kPerf, "perf", report);
  report.write(json);
}

}  // namespace
}  // namespace mapscope::test

int main(int argc, char** argv) {
  const std::string json = argc > 1 ? argv[1] : "";
  if (json == "--help") {
    std::printf("usage: agent_bench [JSON-FILE]\n");
    return 0;
  }
  // Each target has three pipes.
  const rlimit files{8192, 8192};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) std::perror("agent_bench: setrlimit");
  try {
    mapscope::test::run(json);
  } catch (const std::exception& failure) {
    mapscope::test::give_up(failure.what());
  }
}
