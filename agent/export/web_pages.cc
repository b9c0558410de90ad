// SPDX-License-Identifier: Apache-2.0
#include "agent/export/web_pages.h"

#include <algorithm>

#include "agent/export/event_json.h"
#include "agent/export/text.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

void add_link(std::string& out, std::string_view path, std::string_view what) {
  out += "<li><a href=\"";
  append_html_escaped(out, path);
  out += "\">";
  append_html_escaped(out, path);
  out += "</a> ";
  append_html_escaped(out, what);
  out += "</li>\n";
}

void add_cell(std::string& out, std::string_view text) {
  out += "<td>";
  append_html_escaped(out, text);
  out += "</td>";
}

void add_target_row(std::string& out, const Target& target) {
  out += "<tr>";
  add_cell(out, std::to_string(target.pid));
  add_cell(out, target.comm);
  add_cell(out, target.exe);
  add_cell(out, target.runtime == nullptr ? std::string_view() : target.runtime->name);
  add_cell(out, target.version + (target.unverified ? " (unverified)" : ""));
  add_cell(out, to_string(target.state));
  add_cell(out, std::to_string(target.probes));
  add_cell(out, target.reason);
  std::string unseen;
  for (const std::string& what : target.unseen) unseen += (unseen.empty() ? "" : "; ") + what;
  add_cell(out, unseen);
  out += "</tr>\n";
}

}  // namespace

std::string landing_page(const LandingPage& page) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>Mapscope</title>"
      "<link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body>\n"
      "<h1>Mapscope <small>" MAPSCOPE_VERSION
      "</small></h1>\n<p>What hash-map growth costs running programs. ";
  append_html_escaped(
      out, page.not_ready.empty() ? "Every requested probe is attached." : page.not_ready);
  if (!page.web_config_error.empty()) {
    out += "</p>\n<p>The web configuration has changed and is not in force: ";
    append_html_escaped(out, page.web_config_error);
  }
  out +=
      "</p>\n<h2>Targets</h2>\n<table><thead><tr><th>pid</th><th>process</th><th>executable</th>"
      "<th>runtime</th><th>version</th><th>state</th><th>probes</th><th>reason</th><th>not "
      "seen</th></tr></thead>\n"
      "<tbody>\n";
  for (const Target& target : page.targets) add_target_row(out, target);
  if (page.targets.empty()) out += "<tr><td colspan=\"9\">none yet</td></tr>\n";
  out += "</tbody></table>\n<h2>Pages</h2>\n<ul>\n";
  add_link(out, page.telemetry_path, "metrics for Prometheus");
  add_link(out, "/api/v1/sites", "call sites, the dearest first, with advice");
  add_link(out, "/api/v1/resizes?limit=100", "the last resizes");
  add_link(out, "/api/v1/races", "the last concurrent writes of a map");
  add_link(out, "/api/v1/targets", "the processes being watched");
  add_link(out, "/-/healthy", "is the agent alive");
  add_link(out, "/-/ready", "is every requested probe attached");
  return out += "</ul>\n</body></html>\n";
}

std::string_view style_sheet() {
  return "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 "
         "1rem}\n"
         "small{font-weight:400;color:#767676}\n"
         "table{border-collapse:collapse;width:100%}\n"
         "th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd;"
         "overflow-wrap:anywhere}\n"
         "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}a{color:#8bf}"
         "th,td{border-color:#444}small{color:#999}}\n";
}

std::string targets_json(const std::vector<Target>& targets) {
  std::string out = "{\"targets\":[";
  for (size_t i = 0; i < targets.size(); ++i) {
    if (i != 0) out += ',';
    append_target_json(out, targets[i], {});
  }
  return out += "]}\n";
}

std::string sites_json(const std::vector<SiteTotals>& sites, size_t limit) {
  std::string out = "{\"sites\":[";
  for (size_t i = 0; i < std::min(limit, sites.size()); ++i) {
    if (i != 0) out += ',';
    append_site_json(out, sites[i]);
  }
  return out += "]}\n";
}

}  // namespace mapscope
