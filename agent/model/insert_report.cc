// SPDX-License-Identifier: Apache-2.0
#include "agent/model/insert_report.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

namespace mapscope {

InsertReport insert_report(const SelfStats& stats, uint64_t now_ns) {
  std::map<std::tuple<std::string, std::string, std::string>, InsertCounts> all;
  const auto counts_of = [&all](const auto& of, const std::string& map_type) -> InsertCounts& {
    InsertCounts& counts = all[{of.process, of.runtime, map_type}];
    counts.process = of.process;
    counts.runtime = of.runtime;
    counts.map_type = map_type;
    return counts;
  };
  for (const SelfStats::ProcessValue& inserts : stats.inserts)
    counts_of(inserts, inserts.what).count += static_cast<uint64_t>(inserts.value);
  for (const SelfStats::InsertTimes& times : stats.insert_times) {
    InsertCounts& counts = counts_of(times, times.map_type);
    const uint64_t count = std::accumulate(times.log2_ns.begin(), times.log2_ns.end(), uint64_t{0});
    counts.timed = true;
    (times.during_resize ? counts.during_resize : counts.steady) += count;
    (times.during_resize ? counts.during_resize_ns : counts.steady_ns) += times.sum_ns;
  }
  InsertReport report{now_ns, {}, 0};
  for (auto& [key, counts] : all) {
    if (counts.count != 0) report.counts.push_back(std::move(counts));
  }
  std::ranges::stable_sort(report.counts, [](const InsertCounts& a, const InsertCounts& b) {
    return a.count > b.count;
  });
  return report;
}

}  // namespace mapscope
