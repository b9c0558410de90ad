// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "agent/export/text.h"
#include "agent/inspect.h"
#include "agent/inspect_words.h"

namespace mapscope {
namespace {

constexpr size_t kColumns = 100;

// Measured on a virtual machine with Linux 6.18; `agent doctor` measures here.
std::string_view price(SiteClass site_class) {
  switch (site_class) {
    case SiteClass::kEmulated:
      return "emulated, about 0.8 µs";
    case SiteClass::kSingleStepped:
      return "single-stepped, 1 to 10 µs or more";
  }
  return "";
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

std::string probe_text(const PlannedProbe& probe) {
  return fmt::format("  {:<10} {}\n", kind_name(probe.spec->descriptor.kind), place_of(probe)) +
         wrapped(fmt::format("{:#x}, {}: `{}`, {}; {}", probe.file_offset, price(probe.site_class),
                             probe.instruction, probe.spec->why, probe.why_here),
                 13);
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

std::string plan_text(const ProbePlan& plan) {
  std::string text = fmt::format("\n{} ({})\n", plan.runtime->describe, plan.runtime->name);
  if (plan.match.unverified) {
    text += wrapped("UNVERIFIED: " + printable(plan.match.version) +
                        " is newer than Go 1.27; what these probes read is where its own code "
                        "works on it. --go.strict refuses it.",
                    2);
  }
  for (const PlannedProbe& probe : plan.probes) text += probe_text(probe);
  return text + losses_text(plan);
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
  std::string text = fmt::format("{}:", printable(in.path));
  for (const ProbePlan& plan : in.plans)
    text += fmt::format("{} {}", &plan == &in.plans.front() ? "" : ",", plan.runtime->describe);
  text += fmt::format("\nMode {}, kernel {}, build id {}\n", mode_name(in.mode),
                      kernel_text(in.kernel), in.build_id.empty() ? "none" : in.build_id);
  if (in.go) text += go_text(*in.go);
  for (const ProbePlan& plan : in.plans) text += plan_text(plan);
  for (const RefusedRoom& room : in.refused)
    text += fmt::format("\n{} ({}): not probed: {}\n", room.runtime->describe, room.runtime->name,
                        printable(room.reason));
  return text;
}

}  // namespace mapscope
