// SPDX-License-Identifier: Apache-2.0
// agent/export/summary.h – what the agent says when it ends. Filled by the agent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/export/advice_text.h"
#include "agent/model/insert_report.h"
#include "agent/model/self_stats.h"
#include "agent/model/site_table.h"
#include "agent/model/watch_times.h"

namespace mapscope {

struct Summary {
  std::vector<TargetTotals> targets;        // SiteTable::targets()
  std::vector<SiteTotals> sites;            // SiteTable::sites(), most expensive first
  std::vector<SelfStats::Count> lost;       // SelfStats::lost; reasons with 0 are not shown
  uint64_t watched_ns = 0;                  // how long the agent watched
  std::vector<WatchTimes::Total> paused{};  // WatchTimes::paused()
  std::vector<InsertCounts> inserts{};      // only in the mode that counts them
  uint64_t hidden = 0;      // resizes that were too short for a row or a line of their own
  bool by_program = false;  // processes that run the same file are added up
};

// Lines for a terminal: the conclusion (agent/export/conclusion.h), totals by process or program if
// there are several, the most expensive call sites with advice, inserts by map type, and what was
// lost. At most `width` columns, except for an advice or a target's path that needs more;
// kUnlimited: nothing is cut. Strings of targets are escaped.
std::vector<std::string> summary_lines(const Summary& summary, size_t width);

// "1 resize", "1,234 processes".
std::string plural(uint64_t count, std::string_view noun);

}  // namespace mapscope
