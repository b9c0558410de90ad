// SPDX-License-Identifier: Apache-2.0
// What the export costs the pipeline per resize. Budget: BM_AddResize 1 µs, BM_EventLine 3 µs.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/export/event_writer.h"
#include "agent/export/metric_table.h"
#include "agent/export/recent_resizes.h"
#include "agent/model/site_table.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

// Maps of `range(0)` types at as many addresses, so that look-ups are not always of one entry.
void BM_AddResize(benchmark::State& state) {
  MetricTable metrics;
  SiteTable sites;
  RecentResizes recent;
  Sample sample;
  const auto types = static_cast<size_t>(state.range(0));
  std::vector<std::string> names;
  for (size_t i = 0; i < types; ++i) names.push_back("map[string]*main.Type" + std::to_string(i));
  size_t next = 0;
  for ([[maybe_unused]] auto step : state) {
    sample.resize.map_type = names[next];
    sample.resize.map_addr = 0xc000000000 + 64 * next;
    sample.resize.begin_ns += 1000;
    if (++next == types) next = 0;
    metrics.add(sample.resize);
    sites.add(sample.resize);
    recent.add(sample.resize);
  }
}
BENCHMARK(BM_AddResize)->Arg(1)->Arg(100)->Arg(900);

// Beyond the cap every resize takes the slow path of the metric table.
void BM_AddResizeOverflowing(benchmark::State& state) {
  MetricTable metrics({.max_series = 100});
  Sample sample;
  std::vector<std::string> names;
  names.reserve(1000);
  for (int i = 0; i < 1000; ++i) names.push_back("map[string]*main.Type" + std::to_string(i));
  size_t next = 0;
  for ([[maybe_unused]] auto step : state) {
    sample.resize.map_type = names[next];
    if (++next == names.size()) next = 0;
    metrics.add(sample.resize);
  }
}
BENCHMARK(BM_AddResizeOverflowing);

// One line with a stack of `range(0)` frames.
void BM_EventLine(benchmark::State& state) {
  const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  EventWriter events(null.get(), "/dev/null");
  Sample sample;
  const Frame frame = sample.stack.frames.back();
  sample.stack.frames.resize(static_cast<size_t>(state.range(0)), frame);
  sample.resize.begin_ns = monotonic_now_ns();
  for ([[maybe_unused]] auto step : state) {
    sample.resize.begin_ns += 5000;
    events.write(sample.resize);
  }
}
BENCHMARK(BM_EventLine)->Arg(2)->Arg(10)->Arg(20);

void BM_Scrape(benchmark::State& state) {
  MetricTable metrics;
  Sample sample;
  for (int64_t i = 0; i < state.range(0); ++i) {
    const std::string type = "map" + std::to_string(i);
    sample.resize.map_type = type;
    // A process has no more than a hundred.
    sample.target.comm = "process" + std::to_string(i / 50);
    metrics.add(sample.resize);
  }
  std::string text;
  for ([[maybe_unused]] auto step : state) benchmark::DoNotOptimize(text = metrics.text());
  state.counters["series"] = static_cast<double>(std::count(text.begin(), text.end(), '\n') -
                                                 std::count(text.begin(), text.end(), '#'));
  state.counters["bytes"] = static_cast<double>(text.size());
}
BENCHMARK(BM_Scrape)->Arg(10)->Arg(130)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mapscope

BENCHMARK_MAIN();
