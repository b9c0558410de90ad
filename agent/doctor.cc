// SPDX-License-Identifier: Apache-2.0
#include "agent/doctor.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/doctor_checks.h"
#include "agent/export/units.h"

namespace mapscope {
namespace {

using Json = nlohmann::ordered_json;

bool passed(const Diagnosis& diagnosis, std::string_view name) {
  return std::any_of(diagnosis.checks.begin(), diagnosis.checks.end(), [&](const Check& check) {
    return check.name == name && check.state == CheckState::kOk;
  });
}

// Than uprobe_multi; when it is not known, no.
bool is_older(const std::string& release) {
  const Result<KernelFacts> kernel = parse_kernel(release);
  return kernel && !kernel->has_uprobe_multi();
}

// Where the better way works, the other is no reason to give up.
void forgive_perf_events(Diagnosis* diagnosis) {
  if (!passed(*diagnosis, "uprobe_multi")) return;
  for (Check& check : diagnosis->checks) {
    if (check.name != "uprobe_perf" || check.state != CheckState::kFail) continue;
    check.state = CheckState::kWarn;
    check.remedy = "only --attach-method perf needs it: grant SYS_ADMIN (below), or leave it";
  }
}

void calibrate_where_possible(Diagnosis* diagnosis) {
  const bool multi = passed(*diagnosis, "uprobe_multi");
  if (!multi && !passed(*diagnosis, "uprobe_perf")) return;
  Result<ProbeCosts> costs = calibrate(multi ? AttachMethod::kMulti : AttachMethod::kPerf);
  if (costs) {
    diagnosis->costs = *costs;
  } else {
    diagnosis->checks.push_back(
        {"cost", CheckState::kWarn, costs.error().text, "run it again on a calmer machine"});
  }
}

Json privileges_json(const PrivilegeReport& report) {
  Json out = {{"modes", Json::array()}};
  for (const ModePrivileges& mode : report.modes)
    out["modes"].push_back(
        {{"mode", mode.mode}, {"needed", mode.needed}, {"missing", mode.missing}});
  if (report.perf_needs_admin) out["perf_needs_sys_admin"] = *report.perf_needs_admin;
  for (const auto& [where, what] : report.grants) out["grants"][std::string(where)] = what;
  return out;
}

std::string costs_text(const ProbeCosts& costs) {
  std::string text = "\nWhat a hit of a probe adds here, by the instruction under it:\n";
  const auto line = [&](std::string_view instruction, double ns, std::string_view used) {
    text += fmt::format("  {:<15} {:>8}  {}\n", instruction, human_duration(whole_ns(ns)), used);
  };
  line("nop", costs.nop_ns, "instrumented maps");
  line("push", costs.push_ns, "most compiled functions");
  line("any other", costs.single_stepped_ns, "the kernel single-steps it; avoided where possible");
  return text;
}

}  // namespace

std::string_view to_string(CheckState state) {
  switch (state) {
    case CheckState::kOk:
      return "ok";
    case CheckState::kWarn:
      return "warn";
    case CheckState::kFail:
      return "fail";
  }
  return "";
}

bool Diagnosis::ok() const {
  return std::none_of(checks.begin(), checks.end(),
                      [](const Check& check) { return check.state == CheckState::kFail; });
}

Diagnosis diagnose() {
  utsname name{};
  Diagnosis out;
  out.kernel = uname(&name) == 0 ? name.release : "unknown";
  out.checks = {check_kernel(out.kernel),
                check_capabilities(),
                check_btf(),
                check_bpf(),
                check_ring_buffer(),
                check_scheduler(),
                check_uprobe_perf(),
                check_uprobe_multi(out.kernel),
                check_lockdown(),
                check_perf_paranoid(),
                check_jit(),
                check_go()};
  forgive_perf_events(&out);
  out.privileges =
      report_privileges(is_older(out.kernel) ? AttachMethod::kPerf : AttachMethod::kMulti);
  calibrate_where_possible(&out);
  return out;
}

std::string diagnosis_text(const Diagnosis& diagnosis) {
  std::string text;
  for (const Check& check : diagnosis.checks) {
    text += fmt::format("  {:<5} {:<14} {}\n", to_string(check.state), check.name, check.finding);
    if (!check.remedy.empty()) text += fmt::format("  {:<20} to mend: {}\n", "", check.remedy);
  }
  text += privileges_text(diagnosis.privileges);
  if (diagnosis.costs) text += costs_text(*diagnosis.costs);
  text += diagnosis.ok() ? "\nThe agent can work here: sudo agent --pid N\n"
                         : "\nThe agent cannot work here: see what failed above.\n";
  return text;
}

std::string diagnosis_json(const Diagnosis& diagnosis) {
  Json out = {{"ok", diagnosis.ok()}, {"kernel", diagnosis.kernel}, {"checks", Json::array()}};
  for (const Check& check : diagnosis.checks) {
    Json entry = {
        {"name", check.name}, {"state", to_string(check.state)}, {"finding", check.finding}};
    if (!check.remedy.empty()) entry["remedy"] = check.remedy;
    out["checks"].push_back(std::move(entry));
  }
  out["privileges"] = privileges_json(diagnosis.privileges);
  if (const auto& costs = diagnosis.costs) {
    out["probe_cost_ns"] = {{"nop", whole_ns(costs->nop_ns)},
                            {"push", whole_ns(costs->push_ns)},
                            {"single_stepped", whole_ns(costs->single_stepped_ns)}};
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int run_doctor(const DoctorOptions& options) {
  const Diagnosis diagnosis = diagnose();
  const std::string text = options.json ? diagnosis_json(diagnosis) : diagnosis_text(diagnosis);
  std::fputs(text.c_str(), stdout);
  return diagnosis.ok() ? 0 : 1;
}

}  // namespace mapscope
