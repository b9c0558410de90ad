// SPDX-License-Identifier: Apache-2.0
#include "agent/export/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "agent/export/columns.h"
#include "agent/export/conclusion.h"
#include "agent/export/place.h"
#include "agent/export/text.h"
#include "agent/export/units.h"

namespace mapscope {
namespace {

using Lines = std::vector<std::string>;

constexpr size_t kMaxRows = 20;  // of a table
constexpr size_t kAdviceIndent = 8;

std::string or_unknown(std::string_view text) {
  return text.empty() ? std::string(kUnknownText) : printable(text);
}

std::string move_text(uint64_t wall_ns, uint64_t stall_ns) {
  return wall_ns == stall_ns ? std::string() : human_duration(wall_ns);
}

void add_more(Lines& lines, size_t count, std::string_view noun) {
  if (count > kMaxRows) lines.push_back(fmt::format("… and {}", plural(count - kMaxRows, noun)));
}

// A process, or all that run one file.
struct Program {
  TargetTotals totals;
  uint64_t processes = 0;
};

void add_to(Program& program, const TargetTotals& target) {
  if (program.processes++ == 0) {
    program.totals = target;
    return;
  }
  TargetTotals& totals = program.totals;
  totals.resizes += target.resizes;
  totals.fatals += target.fatals;
  totals.races += target.races;
  totals.stall_ns += target.stall_ns;
  totals.wall_ns += target.wall_ns;
  totals.blocked_ns += target.blocked_ns;
}

// Most expensive first.
std::vector<Program> programs_of(const Summary& summary) {
  std::map<std::string, Program> programs;
  for (const TargetTotals& target : summary.targets) {
    std::string key = target.exe;
    if (!summary.by_program || target.other) key += fmt::format("/{}", target.pid);
    add_to(programs[key], target);
  }
  std::vector<Program> all;
  all.reserve(programs.size());
  for (auto& [key, program] : programs) all.push_back(std::move(program));
  std::ranges::stable_sort(all, [](const Program& a, const Program& b) {
    const auto cost = [](const TargetTotals& totals) {
      return std::pair(std::max(totals.stall_ns, totals.blocked_ns), totals.wall_ns);
    };
    return cost(a.totals) > cost(b.totals);
  });
  return all;
}

void add_programs(const Summary& summary, size_t width, Lines& lines) {
  const Columns columns({{"STALL", 8},
                         {"QUEUED", 8},
                         {"MOVE", 8},
                         {"RESIZES", 9},
                         {"FATALS", 7},
                         {summary.by_program ? "PROGRAM" : "PROCESS", 20, 0, true}},
                        "EXECUTABLE", width);
  lines.emplace_back();
  lines.push_back(columns.head());
  const std::vector<Program> programs = programs_of(summary);
  for (size_t i = 0; i < std::min(programs.size(), kMaxRows); ++i) {
    const auto& [totals, processes] = programs[i];
    std::string name = printable(totals.comm);
    if (processes > 1) {
      name += fmt::format(" ×{}", processes);
    } else if (!totals.other) {
      name += fmt::format("/{}", totals.pid);
    }
    const std::array<std::string, 6> cells = {human_duration(totals.stall_ns),
                                              human_duration(totals.blocked_ns),
                                              move_text(totals.wall_ns, totals.stall_ns),
                                              grouped(totals.resizes),
                                              grouped(totals.fatals),
                                              name};
    lines.push_back(columns.row(cells, printable(totals.exe)));
  }
  add_more(lines, programs.size(), summary.by_program ? "program" : "process");
}

Columns site_columns(size_t width) {
  const size_t type = width < 120 ? 16 : 32;
  return {{{"STALL", 7},
           {"QUEUED", 7},
           {"MOVE", 7},
           {"RESIZES", 7},
           {"MAPS", 7, 100},
           {"LARGEST", 7},
           {"PROCESS", 12, 120, true},
           {"MAP TYPE", type, 0, true}},
          "CALL SITE",
          width};
}

std::string largest_text(const SiteTotals& site) {
  return site.max_new_slots == 0 ? std::string(kUnknownText) : human_count(site.max_new_slots);
}

std::string own_text(const SiteTotals& site) {
  if (site.own_function.empty()) return {};
  return place_text(site.own_function, site.own_file, site.own_line, 0);
}

void add_site(const SiteTotals& site, const Columns& columns, bool with_advice, size_t width,
              Lines& lines) {
  const std::array<std::string, 8> cells = {human_duration(site.stall_ns),
                                            human_duration(site.blocked_ns),
                                            move_text(site.wall_ns, site.stall_ns),
                                            grouped(site.resizes),
                                            grouped(site.maps),
                                            largest_text(site),
                                            printable(site.process),
                                            or_unknown(site.map_type)};
  lines.push_back(columns.row(cells, place_text(site.function, site.file, site.line, site.address),
                              own_text(site)));
  const std::string text = with_advice ? advice(site) : std::string();
  if (text.empty()) return;
  for (std::string& line :
       wrap(std::string(kAdviceIndent, ' ') + "→ " + text, width, kAdviceIndent + 2))
    lines.push_back(std::move(line));
}

// The advice of the first ones is in the conclusion.
void add_sites(const std::vector<SiteTotals>& sites, size_t width, Lines& lines) {
  const Columns columns = site_columns(width);
  const size_t concluded = main_sites(sites);
  lines.emplace_back();
  lines.push_back(columns.head());
  size_t count = 0;
  for (size_t i = 0; i < sites.size(); ++i) {
    if (sites[i].resizes != 0 && ++count <= kMaxRows)
      add_site(sites[i], columns, i >= concluded, width, lines);
  }
  add_more(lines, count, "call site");
}

std::string mean_text(uint64_t ns, uint64_t count) {
  return count == 0 ? std::string(kUnknownText) : human_duration(ns / count);
}

void add_inserts(const std::vector<InsertCounts>& inserts, size_t width, Lines& lines) {
  const Columns columns(
      {{"INSERTS", 13}, {"MEAN", 7}, {"IN RESIZE", 11}, {"MEAN", 7}, {"PROCESS", 15, 0, true}},
      "MAP TYPE", width);
  lines.emplace_back();
  lines.push_back(columns.head());
  for (size_t i = 0; i < std::min(inserts.size(), kMaxRows); ++i) {
    const InsertCounts& counts = inserts[i];
    const std::array<std::string, 5> cells = {
        grouped(counts.count), mean_text(counts.steady_ns, counts.steady),
        counts.timed ? grouped(counts.during_resize) : std::string(kUnknownText),
        mean_text(counts.during_resize_ns, counts.during_resize), printable(counts.process)};
    lines.push_back(columns.row(cells, or_unknown(counts.map_type)));
  }
  add_more(lines, inserts.size(), "map type");
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
      text += fmt::format(" after {}", plural(misses, "miss"));
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

}  // namespace

std::string plural(uint64_t count, std::string_view noun) {
  const std::string_view ending = count == 1 ? "" : noun.ends_with('s') ? "es" : "s";
  return fmt::format("{} {}{}", grouped(count), noun, ending);
}

std::vector<std::string> summary_lines(const Summary& summary, size_t width) {
  Lines lines = {""};
  for (std::string& line : conclusion_lines(summary, width)) lines.push_back(std::move(line));
  if (summary.targets.size() > 1) add_programs(summary, width, lines);
  const auto has_resizes = [](const SiteTotals& site) { return site.resizes != 0; };
  if (std::ranges::any_of(summary.sites, has_resizes)) add_sites(summary.sites, width, lines);
  if (!summary.inserts.empty()) add_inserts(summary.inserts, width, lines);
  add_restructurings(summary.targets, lines);
  add_lost(summary.lost, lines);
  return lines;
}

}  // namespace mapscope
