// SPDX-License-Identifier: Apache-2.0
#include "agent/export/web_pages.h"

#include <fmt/format.h>

#include <array>

#include "agent/export/event_json.h"
#include "agent/export/page.h"
#include "agent/export/place.h"
#include "agent/export/runbooks.h"
#include "agent/export/summary.h"
#include "agent/export/text.h"
#include "agent/export/units.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {
namespace {

constexpr size_t kSites = 10;

void add_element(std::string& out, std::string_view tag, std::string_view css_class,
                 std::string_view text) {
  if (text.empty()) return;
  out.append("<").append(tag);
  if (!css_class.empty()) out.append(" class=\"").append(css_class).append("\"");
  out += '>';
  append_html_escaped(out, text);
  out.append("</").append(tag).append(">\n");
}

void add_link(std::string& out, std::string_view path, std::string_view what) {
  out += "<li><a href=\"";
  append_html_escaped(out, path);
  out += "\">";
  append_html_escaped(out, path);
  out += "</a> ";
  append_html_escaped(out, what);
  out += "</li>\n";
}

// "a · b · c" of what is there.
template <size_t N>
std::string joined(const std::array<std::string, N>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (!part.empty()) text += (text.empty() ? "" : " · ") + part;
  }
  return text;
}

void add_site(std::string& out, const SiteTotals& site) {
  out += "<li>";
  add_element(out, "b", "", place_text(site.function, site.file, site.line, site.address));
  if (!site.own_function.empty()) {
    add_element(out, "span", "detail",
                "← " + place_text(site.own_function, site.own_file, site.own_line, 0));
  }
  add_element(out, "span", "detail",
              joined<2>({printable(site.process), printable(site.map_type)}));
  add_element(out, "span", "detail",
              joined<4>({fmt::format("{} growths", grouped(site.growths)),
                         fmt::format("inserts stalled {}", human_duration(site.stall_ns)),
                         site.blocked_ns == 0
                             ? ""
                             : fmt::format("others queued {}", human_duration(site.blocked_ns)),
                         site.max_new_slots == 0
                             ? ""
                             : fmt::format("up to {} slots", human_count(site.max_new_slots))}));
  add_element(out, "span", "advice", site.savings.growths == 0 ? "" : advice(site));
  out += "</li>\n";
}

void add_sites(std::string& out, const std::vector<SiteTotals>& sites) {
  out += "<h2>Most expensive call sites</h2>\n";
  if (sites.empty()) out += "<p>No map has grown yet.</p>\n";
  out += "<ol>\n";
  for (size_t i = 0; i < std::min(sites.size(), kSites); ++i) add_site(out, sites[i]);
  out += "</ol>\n";
}

// Newest first.
void add_events(std::string& out, std::string_view heading,
                const std::vector<RecentEvents::Event>& events) {
  if (events.empty()) return;
  add_element(out, "h2", "", heading);
  out += "<ul>\n";
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    out += "<li>";
    add_element(out, "span", "fatal", event->text);
    add_element(out, "span", "detail", event->time.substr(0, event->time.find('.')) + "Z");
    out += "</li>\n";
  }
  out += "</ul>\n";
}

void add_target(std::string& out, const Target& target) {
  out += "<li>";
  add_element(out, "b", "", fmt::format("{} {}", target.comm, target.pid));
  add_element(out, "span", "detail", target.exe);
  std::string unseen;
  for (const std::string& what : target.unseen) unseen += (unseen.empty() ? "" : "; ") + what;
  add_element(
      out, "span", "detail",
      joined<5>(
          {std::string(target.runtime == nullptr ? "" : target.runtime->name),
           target.version + (target.unverified ? " (unverified)" : ""),
           std::string(to_string(target.state)), target.reason,
           target.state == TargetState::kAttached ? fmt::format("{} probes", target.probes) : ""}));
  if (!unseen.empty()) add_element(out, "span", "detail", "not seen: " + unseen);
  out += "</li>\n";
}

void add_targets(std::string& out, const std::vector<Target>& targets) {
  out += "<h2>Targets</h2>\n";
  if (targets.empty()) out += "<p>None yet.</p>\n";
  out += "<ul>\n";
  for (const Target& target : targets) add_target(out, target);
  out += "</ul>\n";
}

void add_links(std::string& out, std::string_view telemetry_path) {
  out += "<h2>Pages</h2>\n<ul>\n";
  add_link(out, telemetry_path, "metrics for Prometheus");
  add_link(out, "/api/v1/sites", "call sites, the most expensive first, with advice");
  add_link(out, "/api/v1/resizes?limit=100", "the last resizes");
  add_link(out, "/api/v1/fatals", "the last deaths of a misused map");
  add_link(out, "/api/v1/races", "the last concurrent writes of a map");
  add_link(out, "/api/v1/targets", "the processes being watched");
  add_link(out, "/-/healthy", "is the agent alive");
  add_link(out, "/-/ready", "is every requested probe attached");
  out += "</ul>\n<h2>Runbooks</h2>\n<ul>\n";
  for (const std::string_view name : runbook_names())
    add_link(out, fmt::format("/runbooks/{}", name), "");
  out += "</ul>\n";
}

template <typename Item, typename ProcessOf, typename Append>
std::string list_json(std::string_view key, const std::vector<Item>& items, const ApiQuery& query,
                      ProcessOf process_of, Append append) {
  std::string out = fmt::format("{{\"{}\":[", key);
  size_t count = 0;
  for (const Item& item : items) {
    if (!query.process.empty() && process_of(item) != query.process) continue;
    if (count++ == query.limit) break;
    if (count > 1) out += ',';
    append(out, item);
  }
  return out += "]}\n";
}

}  // namespace

std::string landing_page(const LandingPage& page) {
  std::string body;
  add_element(body, "p", "",
              page.not_ready.empty() ? "Every requested probe is attached." : page.not_ready);
  if (!page.web_config_error.empty()) {
    add_element(body, "p", "fatal",
                fmt::format("The web configuration has changed and is not in force: {}",
                            page.web_config_error));
  }
  add_events(body, "Died of a misused map", page.fatals);
  add_events(body, "Concurrent writes", page.races);
  add_sites(body, page.sites);
  add_targets(body, page.targets);
  add_links(body, page.telemetry_path);
  return html_page("What hash-map growth costs running programs", body);
}

std::string targets_json(const std::vector<Target>& targets, const ApiQuery& query) {
  return list_json(
      "targets", targets, query,
      [](const Target& target) -> const std::string& { return target.comm; },
      [](std::string& out, const Target& target) { append_target_json(out, target, {}); });
}

std::string sites_json(const std::vector<SiteTotals>& sites, const ApiQuery& query) {
  return list_json(
      "sites", sites, query,
      [](const SiteTotals& site) -> const std::string& { return site.process; },
      [](std::string& out, const SiteTotals& site) { append_site_json(out, site); });
}

}  // namespace mapscope
