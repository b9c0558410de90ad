// SPDX-License-Identifier: Apache-2.0
// agent/export/summary.h – what the agent says when it ends. Filled by the agent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/export/advice_text.h"
#include "agent/model/self_stats.h"
#include "agent/model/site_table.h"

namespace mapscope {

struct Summary {
  std::vector<TargetTotals> targets;   // SiteTable::targets()
  std::vector<SiteTotals> sites;       // SiteTable::sites(), dearest first
  std::vector<SelfStats::Count> lost;  // SelfStats::lost; reasons with 0 are not shown
  uint64_t watched_ns = 0;             // how long the agent watched
};

// Lines for a terminal: totals by target, the dearest call sites with advice, what was lost and a
// closing sentence. At most `width` columns, except for an advice or a target's path that needs
// more. Strings of targets are escaped.
std::vector<std::string> summary_lines(const Summary& summary, size_t width);

}  // namespace mapscope
