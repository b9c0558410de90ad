// SPDX-License-Identifier: Apache-2.0
#include "agent/export/summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/export/place.h"
#include "agent/export/text.h"
#include "agent/export/units.h"

namespace mapscope {
namespace {

using Lines = std::vector<std::string>;

constexpr size_t kMaxRows = 20;  // of a table
constexpr size_t kTypeWidth = 24;
constexpr std::string_view kTargetFormat = "{:<24} {:>12} {:>10} {:>10} {:>10} {:>7}  {}";
constexpr std::string_view kSiteFormat = "{:>10} {:>10} {:>8} {:>8} {:>8} {:>8} {:<16} {:<24}  ";

std::string_view or_unknown(std::string_view text) { return text.empty() ? kUnknownText : text; }

std::string plural(uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(count), noun, count == 1 ? "" : "s");
}

void add_more(Lines& lines, size_t count, std::string_view noun) {
  if (count > kMaxRows) lines.push_back(fmt::format("… and {}", plural(count - kMaxRows, noun)));
}

void add_targets(const std::vector<TargetTotals>& targets, Lines& lines) {
  lines.emplace_back();
  lines.push_back(fmt::format(kTargetFormat, "TARGET", "RESIZES", "STALL", "WALL", "QUEUED",
                              "FATALS", "EXECUTABLE"));
  for (size_t i = 0; i < std::min(targets.size(), kMaxRows); ++i) {
    const TargetTotals& target = targets[i];
    const std::string pid = target.other ? "" : fmt::format("/{}", target.pid);
    lines.push_back(fmt::format(
        kTargetFormat, shorten_middle(printable(target.comm), 23 - pid.size()) + pid,
        grouped(target.resizes), human_duration(target.stall_ns), human_duration(target.wall_ns),
        human_duration(target.blocked_ns), grouped(target.fatals), printable(target.exe)));
  }
  add_more(lines, targets.size(), "target");
}

std::string largest_text(const SiteTotals& site) {
  return site.max_new_slots == 0 ? std::string(kUnknownText) : human_count(site.max_new_slots);
}

std::string own_text(const SiteTotals& site) {
  if (site.own_function.empty()) return {};
  return place_text(site.own_function, site.own_file, site.own_line, 0);
}

void add_site(const SiteTotals& site, size_t width, Lines& lines) {
  std::string line =
      fmt::format(kSiteFormat, grouped(site.resizes), grouped(site.growths),
                  human_duration(site.stall_ns), human_duration(site.wall_ns), largest_text(site),
                  human_duration(site.blocked_ns), shorten_middle(printable(site.process), 16),
                  shorten_middle(printable(or_unknown(site.map_type)), kTypeWidth));
  const size_t used = character_count(line);
  const size_t room = width > used + 16 ? width - used : 16;
  lines.push_back(line + fit_places(place_text(site.function, site.file, site.line, site.address),
                                    own_text(site), room));
  if (std::string text = advice(site); !text.empty()) {
    lines.push_back(fmt::format("{:>10} {}", "→", text));
  }
}

void add_sites(const std::vector<SiteTotals>& sites, size_t width, Lines& lines) {
  lines.emplace_back();
  lines.push_back(fmt::format(kSiteFormat, "RESIZES", "GROWTHS", "STALL", "WALL", "LARGEST",
                              "QUEUED", "PROCESS", "MAP TYPE") +
                  "CALL SITE");
  size_t count = 0;
  for (const SiteTotals& site : sites) {
    if (site.resizes != 0 && ++count <= kMaxRows) add_site(site, width, lines);
  }
  add_more(lines, count, "call site");
}

// "store/4242: 12 promotions after 340 misses, 3 rebuilds"
void add_restructurings(const std::vector<TargetTotals>& targets, Lines& lines) {
  size_t count = 0;
  for (const TargetTotals& target : targets) {
    if (target.restructurings.all() == 0 || ++count > kMaxRows) continue;
    if (count == 1) lines.emplace_back();
    std::string text;
    const auto add = [&text](uint64_t number, std::string_view noun) {
      if (number != 0) text += (text.empty() ? " " : ", ") + plural(number, noun);
    };
    add(target.restructurings.promotions, "promotion");
    if (const uint64_t misses = target.restructurings.misses; misses != 0)
      text += fmt::format(" after {} miss{}", grouped(misses), misses == 1 ? "" : "es");
    add(target.restructurings.rebuilds, "rebuild");
    add(target.restructurings.expansions, "expansion");
    const std::string pid = target.other ? "" : fmt::format("/{}", target.pid);
    lines.push_back(fmt::format("{}{}:{}", printable(target.comm), pid, text));
  }
  add_more(lines, count, "target");
}

void add_lost(const std::vector<SelfStats::Count>& lost, Lines& lines) {
  std::string text;
  for (const auto& [reason, count] : lost) {
    if (count != 0)
      text += fmt::format("{} {} {}", text.empty() ? "" : ",", reason, grouped(count));
  }
  if (text.empty()) return;
  lines.emplace_back();
  lines.push_back("lost or incomplete:" + text);
}

// What the user takes home: how much, how dear, and what would have avoided most of it.
std::string closing(const Summary& summary) {
  uint64_t resizes = 0;
  uint64_t fatals = 0;
  uint64_t races = 0;
  uint64_t cost_ns = 0;
  Savings savings;
  for (const TargetTotals& target : summary.targets) {
    resizes += target.resizes;
    fatals += target.fatals;
    races += target.races;
  }
  for (const SiteTotals& site : summary.sites) {
    cost_ns += site.cost_ns;
    savings.growths += site.savings.growths;
    savings.time_ns += site.savings.time_ns;
  }
  std::string text =
      fmt::format("{} of {} in {}", plural(resizes, "resize"),
                  plural(summary.targets.size(), "target"), human_duration(summary.watched_ns));
  if (resizes != 0) text += fmt::format(" cost {}", human_duration(cost_ns));
  if (fatals != 0) text += fmt::format("; {}", plural(fatals, "fatal error"));
  if (races != 0) text += fmt::format("; {}", plural(races, "race"));
  if (savings.growths != 0) {
    text += fmt::format("; pre-sizing would have saved {} of them and up to {}",
                        grouped(savings.growths), human_duration(savings.time_ns));
  }
  return text + ".";
}

}  // namespace

std::vector<std::string> summary_lines(const Summary& summary, size_t width) {
  Lines lines;
  if (!summary.targets.empty()) add_targets(summary.targets, lines);
  const auto has_resizes = [](const SiteTotals& site) { return site.resizes != 0; };
  if (std::any_of(summary.sites.begin(), summary.sites.end(), has_resizes))
    add_sites(summary.sites, width, lines);
  add_restructurings(summary.targets, lines);
  add_lost(summary.lost, lines);
  lines.emplace_back();
  lines.push_back(closing(summary));
  return lines;
}

}  // namespace mapscope
