// SPDX-License-Identifier: Apache-2.0
// agent/model/insert_report.h – inserts so far by process and map type, for rows, events and the
// summary. Only --mode inserts counts them. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/model/self_stats.h"

namespace mapscope {

struct InsertCounts {
  std::string process;
  std::string runtime;
  std::string map_type;  // "" unknown
  uint64_t count = 0;
  bool timed = false;  // else the numbers below are not known
  uint64_t steady = 0;
  uint64_t steady_ns = 0;
  uint64_t during_resize = 0;  // while their map was being resized
  uint64_t during_resize_ns = 0;
};

struct InsertReport {
  uint64_t time_ns = 0;
  std::vector<InsertCounts> counts;  // since the agent began, most inserts first
  uint64_t begin_ns = 0;             // when that was
};

InsertReport insert_report(const SelfStats& stats, uint64_t now_ns);

}  // namespace mapscope
