// SPDX-License-Identifier: Apache-2.0
// agent/export/web_pages.h – what the web server shows, as text. Threads: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/export/recent_events.h"
#include "agent/model/resize.h"
#include "agent/model/site_table.h"

namespace mapscope {

struct LandingPage {
  std::vector<SiteTotals> sites;            // the most expensive first
  std::vector<RecentEvents::Event> fatals;  // newest last
  std::vector<RecentEvents::Event> races;
  std::vector<Target> targets;
  std::string_view telemetry_path;
  std::string_view not_ready;         // "" when everything is attached
  std::string_view web_config_error;  // "" when the file is in force as it is
};

// What a page of /api/v1 is asked for.
struct ApiQuery {
  size_t limit = SIZE_MAX;
  std::string process;  // "": every one
};

// For people: what is expensive and what died, then targets and links.
std::string landing_page(const LandingPage& page);

std::string targets_json(const std::vector<Target>& targets, const ApiQuery& query);
std::string sites_json(const std::vector<SiteTotals>& sites, const ApiQuery& query);

}  // namespace mapscope
