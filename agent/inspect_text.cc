// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "agent/export/text.h"
#include "agent/export/units.h"
#include "agent/inspect.h"
#include "agent/inspect_words.h"

namespace mapscope {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kIndent = 15;

// Of virtual machines with Linux 6.18, where nobody may measure.
constexpr ProbeCosts kTypicalCosts = {700, 800, 10'000};

// The instruction is one of those that doctor measures: a nop, a push or the like, any other.
std::string price(const Inspection& in, const PlannedProbe& probe) {
  const ProbeCosts costs = in.costs.value_or(kTypicalCosts);
  const bool is_nop = probe.instruction.starts_with("nop");
  const double ns = is_nop ? costs.nop_ns : costs.of(probe.site_class);
  return fmt::format("{}, {}{}",
                     probe.site_class == SiteClass::kEmulated ? "emulated" : "single-stepped",
                     in.costs ? "" : "about ", human_duration(whole_ns(ns)));
}

// `text` in lines that begin with `indent` blanks and end before column 100, as far as its words
// allow.
std::string wrapped(std::string_view text, size_t indent) {
  std::string out;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += std::string(indent, ' ') + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (!line.empty() && indent + character_count(line) + 1 + character_count(word) > kColumns)
      flush();
    if (!line.empty()) line += ' ';
    line += word;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  flush();
  return out;
}

std::string place_of(const PlannedProbe& probe) {
  return fmt::format("{}+{}", printable(probe.function), probe.symbol_offset);
}

// Probes of which everything but the place is the same.
using Group = std::vector<const PlannedProbe*>;

std::string group_text(const Inspection& in, const Group& group) {
  const PlannedProbe& first = *group.front();
  const std::string_view kind = kind_name(first.spec->descriptor.kind);
  const std::string about =
      fmt::format("{}, {}; {}", price(in, first), first.spec->why, first.why_here);
  if (group.size() == 1) {
    return fmt::format("  {:<12} {}\n", kind, place_of(first)) +
           wrapped(fmt::format("{:#x}, `{}`, {}", first.file_offset, first.instruction, about),
                   kIndent);
  }
  std::string places;
  for (const PlannedProbe* probe : group) places += (places.empty() ? "" : ", ") + place_of(*probe);
  return fmt::format("  {:<12} {} places\n", kind, group.size()) + wrapped(about, kIndent) +
         wrapped(places, kIndent);
}

std::string probes_text(const Inspection& in, const ProbePlan& plan) {
  std::vector<Group> groups;
  for (const PlannedProbe& probe : plan.probes) {
    const auto same = std::ranges::find_if(groups, [&](const Group& group) {
      const PlannedProbe& other = *group.front();
      return other.spec->descriptor.kind == probe.spec->descriptor.kind &&
             other.spec->why == probe.spec->why && other.why_here == probe.why_here &&
             price(in, other) == price(in, probe);
    });
    if (same == groups.end()) {
      groups.push_back({&probe});
    } else {
      same->push_back(&probe);
    }
  }
  std::string text;
  for (const Group& group : groups) text += group_text(in, group);
  return text;
}

// What the plan does not see.
std::string losses_text(const ProbePlan& plan) {
  std::string text;
  for (const UnseenCopy& unseen : plan.unseen) {
    text += wrapped(
        fmt::format("PARTIAL: where {} in {}, it is not seen: that function holds a copy of {}: {}",
                    unseen.spec->why, printable(unseen.host), unseen.spec->symbol,
                    printable(unseen.reason)),
        2);
  }
  for (const MissingProbe& missing : plan.missing) {
    if (missing.absent) continue;
    text += wrapped(fmt::format("Not probed, the rest works without: {}; {} would be lost",
                                printable(missing.reason), missing.spec->why),
                    2);
  }
  const std::vector<std::string_view> absent = absent_functions(plan);
  if (!absent.empty()) {
    text += wrapped(
        fmt::format("Not in this program, by which nothing is lost: {}", fmt::join(absent, ", ")),
        2);
  }
  return text;
}

std::string plan_text(const Inspection& in, const ProbePlan& plan) {
  std::string text = fmt::format("\n{} ({})\n", plan.runtime->describe, plan.runtime->name);
  if (plan.match.unverified) {
    text += wrapped("UNVERIFIED: " + printable(plan.match.version) +
                        " is newer than Go 1.27; what these probes read is where its own code "
                        "works on it. --go.strict refuses it.",
                    2);
  }
  return text + probes_text(in, plan) + losses_text(plan);
}

std::string goroutines_text(const GoFacts& go) {
  if (!go.goroutines)
    return "Goroutines will not be told apart: " + printable(go.goroutines_unknown) + ".";
  const GoroutineLayout& layout = *go.goroutines;
  return fmt::format(
      "Goroutines: g {}; in it status at {}, id at {}, start at {}; in its m id at {}, g at {}, p "
      "at {}.",
      layout.g_in_register ? "in r14" : "at fs:-8", layout.status, layout.goid, layout.start_pc,
      layout.m_id, layout.m_curg, layout.m_p);
}

std::string go_text(const GoFacts& go) {
  std::string text = go.build.text.empty() ? "Go of unknown version" : printable(go.build.text);
  if (!go.build.profile.empty()) {
    text += fmt::format(", built with a profile ({})", printable(go.build.profile));
  } else {
    text += go.build.may_have_profile() ? ", which does not say whether it was built with a profile"
                                        : ", built without a profile";
  }
  for (const std::string& experiment : go.build.experiments) text += ", " + printable(experiment);
  return wrapped(text + ".", 0) + wrapped(goroutines_text(go), 0);
}

// Whether it can be watched, and with what.
std::string verdict(const Inspection& in) {
  size_t probes = 0;
  size_t stepped = 0;
  bool partial = !in.refused.empty();
  std::string what;
  for (const ProbePlan& plan : in.plans) {
    what += fmt::format("{}{}", what.empty() ? "" : ", ", plan.runtime->describe);
    probes += plan.probes.size();
    partial = partial || !plan.unseen.empty();
    for (const PlannedProbe& probe : plan.probes)
      stepped += probe.site_class == SiteClass::kSingleStepped ? 1 : 0;
  }
  std::string text = fmt::format("{}: can be watched{}: {}; {} probes, {} of them single-stepped\n",
                                 printable(in.path), partial ? " in part" : "", what, probes,
                                 stepped == 0 ? "none" : std::to_string(stepped));
  return text + wrapped(in.costs ? "What a hit costs was measured here, as 'agent doctor' does."
                                 : "What a hit costs is what it is elsewhere; 'sudo agent doctor' "
                                   "measures it here.",
                        0);
}

std::string looked_for_text() {
  std::string text;
  for (const Runtime* runtime : all_runtimes()) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : "; ", runtime->name,
                        fmt::join(runtime->looked_for, ", "));
  }
  return text;
}

}  // namespace

std::string inspection_text(const Inspection& in) {
  if (!in.unsupported.empty()) {
    return fmt::format("{}: not supported: {}; looked for {}\n", printable(in.path),
                       printable(in.unsupported), looked_for_text());
  }
  std::string text = verdict(in);
  text += fmt::format("Mode {}, kernel {}, build id {}\n", mode_name(in.mode),
                      kernel_text(in.kernel), in.build_id.empty() ? "none" : in.build_id);
  if (in.go) text += go_text(*in.go);
  for (const ProbePlan& plan : in.plans) text += plan_text(in, plan);
  for (const RefusedRoom& room : in.refused)
    text += fmt::format("\n{} ({}): not probed: {}\n", room.runtime->describe, room.runtime->name,
                        printable(room.reason));
  return text;
}

}  // namespace mapscope
