// SPDX-License-Identifier: Apache-2.0
// agent/export/web_pages.h – what the web server shows, as text. Threads: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/model/resize.h"
#include "agent/model/site_table.h"

namespace mapscope {

struct LandingPage {
  std::vector<Target> targets;
  std::string_view telemetry_path;
  std::string_view not_ready;         // "" when everything is attached
  std::string_view web_config_error;  // "" when the file is in force as it is
};

// For people: name, version, targets and links.
std::string landing_page(const LandingPage& page);
// Its style sheet: a file of its own, so that no page needs inline styles.
std::string_view style_sheet();

std::string targets_json(const std::vector<Target>& targets);
// The first `limit`.
std::string sites_json(const std::vector<SiteTotals>& sites, size_t limit);

}  // namespace mapscope
