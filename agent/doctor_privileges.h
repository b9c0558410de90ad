// SPDX-License-Identifier: Apache-2.0
// agent/doctor_privileges.h – which capabilities are missing for what, and how to grant them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/attach/programs.h"

namespace mapscope {

struct ModePrivileges {
  std::string_view mode;  // what one wants to do; for --mode resizes, inserts and races alike
  std::vector<std::string_view> needed;  // without CAP_
  std::vector<std::string_view> missing;
};

struct PrivilegeReport {
  std::vector<ModePrivileges> modes;
  // Whether probes by perf events want CAP_SYS_ADMIN here; nullopt: too little is held to try.
  std::optional<bool> perf_needs_admin;
  // Where and what to write there, to grant all that this kernel needs and no more.
  std::vector<std::pair<std::string_view, std::string>> grants;
};

// `method`: what the agent would choose here.
PrivilegeReport report_privileges(AttachMethod method);

std::string privileges_text(const PrivilegeReport& report);

}  // namespace mapscope
