// SPDX-License-Identifier: Apache-2.0
#include "agent/export/conclusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "agent/export/columns.h"
#include "agent/export/place.h"
#include "agent/export/text.h"
#include "agent/export/units.h"

namespace mapscope {
namespace {

using Lines = std::vector<std::string>;

constexpr size_t kMaxMainSites = 3;
constexpr double kMostShare = 0.8;
constexpr size_t kMaxPaused = 3;
constexpr size_t kSiteIndent = 16;

struct Totals {
  uint64_t resizes = 0;
  uint64_t fatals = 0;
  uint64_t races = 0;
  uint64_t blocked_ns = 0;
  uint64_t stall_ns = 0;
  uint64_t untimed = 0;
  Savings savings;
};

Totals totals_of(const Summary& summary) {
  Totals totals;
  for (const TargetTotals& target : summary.targets) {
    totals.resizes += target.resizes;
    totals.fatals += target.fatals;
    totals.races += target.races;
    totals.blocked_ns += target.blocked_ns;
  }
  for (const SiteTotals& site : summary.sites) {
    totals.stall_ns += site.stall_ns;
    totals.untimed += site.untimed;
    if (!site.advice) continue;
    totals.savings.growths += site.advice->savings.growths;
    totals.savings.time_ns += site.advice->savings.time_ns;
  }
  return totals;
}

double share(uint64_t part, uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

// "24.7 %", "0.31 %", "<0.01 %".
std::string percent(double part) {
  const double value = part * 100;
  if (value > 0 && value < 0.01) return "<0.01 %";
  if (value >= 99.95) return fmt::format("{:.0f} %", value);
  return value >= 1 ? fmt::format("{:.1f} %", value) : fmt::format("{:.2f} %", value);
}

// "1.0 of 2.8 s"
std::string part_of_seconds(uint64_t part_ns, uint64_t all_ns) {
  return fmt::format("{:.1f} of {:.1f} s", static_cast<double>(part_ns) * 1e-9,
                     static_cast<double>(all_ns) * 1e-9);
}

// Of one process only what it was watched counts.
uint64_t watched_ns(const Summary& summary) {
  return summary.targets.size() == 1 && summary.paused.size() == 1
             ? std::min(summary.watched_ns, summary.paused.front().watched_ns)
             : summary.watched_ns;
}

std::string processes_text(const Summary& summary) {
  if (summary.targets.size() != 1 || summary.targets[0].other)
    return plural(summary.targets.size(), "process");
  const TargetTotals& target = summary.targets.front();
  return fmt::format("{}/{}", printable(target.comm), target.pid);
}

std::string headline(const Summary& summary, const Totals& totals) {
  const uint64_t time_ns = watched_ns(summary);
  std::string text;
  if (totals.resizes == 0) {
    text = fmt::format("No map grew in {}", human_duration(time_ns));
    if (!summary.targets.empty()) text += " in " + processes_text(summary);
  } else {
    text = fmt::format("Inserts stalled for {} in {}, {} of the time: {} in {}",
                       human_duration(totals.stall_ns), human_duration(time_ns),
                       percent(share(totals.stall_ns, time_ns)), plural(totals.resizes, "resize"),
                       processes_text(summary));
    if (totals.blocked_ns != 0)
      text += fmt::format("; threads queued for {} behind them", human_duration(totals.blocked_ns));
  }
  if (totals.untimed != 0) text += "; " + plural(totals.untimed, "resize") + " not timed";
  if (totals.fatals != 0) text += "; " + plural(totals.fatals, "fatal error");
  if (totals.races != 0) text += "; " + plural(totals.races, "race");
  return text + ".";
}

std::string paused_text(const WatchTimes::Total& paused, bool alone) {
  std::string text = fmt::format("watched {} (overhead budget",
                                 part_of_seconds(paused.watched_ns, paused.present_ns));
  if (paused.cause)
    text += fmt::format(" of {}/{}, which runs the same file", printable(paused.cause->comm),
                        paused.cause->pid);
  text += ")";
  if (alone) return text;
  return fmt::format("{}/{} was {}", printable(paused.comm), paused.pid, text);
}

void add_paused(const Summary& summary, size_t width, Lines& lines) {
  const bool alone = summary.targets.size() <= 1 && summary.paused.size() == 1;
  const size_t shown = std::min(summary.paused.size(), kMaxPaused);
  for (size_t i = 0; i < shown; ++i) {
    std::string text = paused_text(summary.paused[i], alone);
    if (alone) text[0] = 'W';
    for (std::string& line : wrap(text + ".", width)) lines.push_back(std::move(line));
  }
  if (summary.paused.size() > shown)
    lines.push_back(fmt::format("… and {} more were not watched all the time.",
                                grouped(summary.paused.size() - shown)));
}

std::string inserts_text(const std::vector<InsertCounts>& inserts) {
  InsertCounts all;
  for (const InsertCounts& counts : inserts) {
    all.count += counts.count;
    all.steady += counts.steady;
    all.steady_ns += counts.steady_ns;
    all.during_resize += counts.during_resize;
    all.during_resize_ns += counts.during_resize_ns;
  }
  std::string text = plural(all.count, "insert");
  if (all.steady != 0)
    text += fmt::format(", {} each on average", human_duration(all.steady_ns / all.steady));
  if (all.during_resize != 0) {
    text += fmt::format("; {} of them while their map was being resized, {} each",
                        grouped(all.during_resize),
                        human_duration(all.during_resize_ns / all.during_resize));
  }
  return text + ".";
}

std::string site_text(const SiteTotals& site) {
  std::string text = place_text(site.function, site.file, site.line, site.address);
  if (!site.own_function.empty())
    text += " ← " + place_text(site.own_function, site.own_file, site.own_line, 0);
  if (!site.map_type.empty()) text += ", " + printable(site.map_type);
  if (!site.process.empty()) text += ", in " + printable(site.process);
  return text;
}

void add_main_sites(const Summary& summary, const Totals& totals, size_t width, Lines& lines) {
  constexpr std::array<std::string_view, kMaxMainSites> kHow = {
      "One line causes", "Two lines cause", "Three lines cause"};
  const size_t count = main_sites(summary.sites);
  if (count == 0) return;
  uint64_t stall_ns = 0;
  for (size_t i = 0; i < count; ++i) stall_ns += summary.sites[i].stall_ns;
  lines.push_back(
      fmt::format("{} {} of it:", kHow[count - 1], percent(share(stall_ns, totals.stall_ns))));
  for (size_t i = 0; i < count; ++i) {
    const SiteTotals& site = summary.sites[i];
    const std::string head =
        fmt::format("{:>8} {:>6} ", human_duration(site.stall_ns),
                    fmt::format("{:.0f} %", 100 * share(site.stall_ns, totals.stall_ns)));
    for (std::string& line : wrap(head + site_text(site), width, kSiteIndent))
      lines.push_back(std::move(line));
    const std::string text = advice(site);
    if (text.empty()) continue;
    for (std::string& line :
         wrap(std::string(kSiteIndent, ' ') + "→ " + text, width, kSiteIndent + 2))
      lines.push_back(std::move(line));
  }
  if (summary.sites.size() == 1 || totals.savings.growths == 0) return;
  lines.push_back(fmt::format("All advice followed would have saved {} of {}, up to {}.",
                              grouped(totals.savings.growths), plural(totals.resizes, "resize"),
                              human_duration(std::min(totals.savings.time_ns, totals.stall_ns))));
}

}  // namespace

size_t main_sites(const std::vector<SiteTotals>& sites) {
  uint64_t all_ns = 0;
  for (const SiteTotals& site : sites) all_ns += site.stall_ns;
  uint64_t stall_ns = 0;
  size_t count = 0;
  while (count < std::min(sites.size(), kMaxMainSites) && sites[count].stall_ns != 0 &&
         share(stall_ns, all_ns) < kMostShare)
    stall_ns += sites[count++].stall_ns;
  return count;
}

std::vector<std::string> conclusion_lines(const Summary& summary, size_t width) {
  const Totals totals = totals_of(summary);
  Lines lines = wrap(headline(summary, totals), width);
  add_paused(summary, width, lines);
  if (!summary.inserts.empty()) {
    for (std::string& line : wrap(inserts_text(summary.inserts), width))
      lines.push_back(std::move(line));
  }
  add_main_sites(summary, totals, width, lines);
  if (summary.hidden != 0)
    lines.push_back(fmt::format("{} had no row of their own (--min-stall); they are counted here.",
                                plural(summary.hidden, "shorter resize")));
  return lines;
}

}  // namespace mapscope
