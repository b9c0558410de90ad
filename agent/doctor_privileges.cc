// SPDX-License-Identifier: Apache-2.0
#include "agent/doctor_privileges.h"

#include <cap-ng.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>

#include "agent/privileges.h"

namespace mapscope {
namespace {

using Names = std::vector<std::string_view>;

constexpr std::string_view kAdmin = "SYS_ADMIN";

bool held(unsigned capability) { return capng_have_capability(CAPNG_EFFECTIVE, capability) != 0; }

bool is_held(std::string_view name) {
  if (name == kAdmin) return held(CAP_SYS_ADMIN);
  return std::any_of(
      kNeededCapabilities.begin(), kNeededCapabilities.end(), [&](const Capability& capability) {
        // SYS_ADMIN implies those without which nothing works.
        return capability.name == name &&
               (held(capability.number) || (capability.required && held(CAP_SYS_ADMIN)));
      });
}

ModePrivileges mode_privileges(std::string_view mode, const Names& needed) {
  ModePrivileges out{mode, needed, {}};
  std::copy_if(needed.begin(), needed.end(), std::back_inserter(out.missing),
               [](std::string_view name) { return !is_held(name); });
  return out;
}

std::optional<bool> does_perf_need_admin() {
  if (held(CAP_SYS_ADMIN)) return attaching_needs_admin(AttachMethod::kPerf);
  if (!held(CAP_BPF) || !held(CAP_PERFMON)) return std::nullopt;
  return !can_attach(AttachMethod::kPerf);
}

std::string joined(const Names& names, std::string_view prefix, std::string_view separator) {
  std::string out;
  for (const std::string_view name : names)
    out += fmt::format("{}{}{}", out.empty() ? "" : separator, prefix, name);
  return out;
}

std::string in_lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::vector<std::pair<std::string_view, std::string>> grants_of(const Names& names) {
  std::error_code ignored;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  const std::string list = joined(names, "CAP_", " ");
  return {
      {"file", fmt::format("setcap {}+ep {}", in_lower_case(joined(names, "cap_", ",")), self)},
      {"systemd", fmt::format("AmbientCapabilities={0} and CapabilityBoundingSet={0}", list)},
      {"kubernetes", fmt::format("securityContext: {{capabilities: {{drop: [ALL], add: [{}]}}}}",
                                 joined(names, "", ", "))}};
}

}  // namespace

PrivilegeReport report_privileges(AttachMethod method) {
  PrivilegeReport out;
  capng_get_caps_process();
  Names own;
  Names all;
  for (const Capability& capability : kNeededCapabilities) {
    all.push_back(capability.name);
    if (capability.required) own.push_back(capability.name);
  }
  out.perf_needs_admin = does_perf_need_admin();
  Names perf = all;
  if (out.perf_needs_admin.value_or(true)) perf.push_back(kAdmin);
  const bool uses_perf = method == AttachMethod::kPerf;
  if (uses_perf && perf.back() == kAdmin) {
    own.push_back(kAdmin);
    all.push_back(kAdmin);
  }
  out.modes = {mode_privileges("own processes", own), mode_privileges("every process", all)};
  if (!uses_perf) out.modes.push_back(mode_privileges("--attach-method perf", perf));
  out.grants = grants_of(all);
  return out;
}

std::string privileges_text(const PrivilegeReport& report) {
  std::string text = "\nCapabilities, by what is to be watched (every --mode):\n";
  for (const ModePrivileges& mode : report.modes) {
    text +=
        fmt::format("  {:<20} {:<55} {}\n", mode.mode, joined(mode.needed, "", ", "),
                    mode.missing.empty() ? "held" : "missing " + joined(mode.missing, "", ", "));
  }
  if (!report.perf_needs_admin)
    text += "  (whether perf events want SYS_ADMIN here cannot be tried without BPF, PERFMON)\n";
  text += "To grant them to who is not root, one of:\n";
  for (const auto& [where, what] : report.grants) text += fmt::format("  {:<11} {}\n", where, what);
  return text;
}

}  // namespace mapscope
