// SPDX-License-Identifier: Apache-2.0
#include "agent/inspect_words.h"

#include <algorithm>

namespace mapscope {

std::string_view kind_name(uint8_t kind) {
  switch (kind) {
    case MS_PROBE_BEGIN:
      return "begin";
    case MS_PROBE_SYNC_END:
      return "sync_end";
    case MS_PROBE_END:
      return "end";
    case MS_PROBE_POINT:
      return "point";
    case MS_PROBE_INSERT:
      return "insert";
    case MS_PROBE_FATAL:
      return "fatal";
    case MS_PROBE_CANCEL:
      return "cancel";
    case MS_PROBE_INSERT_END:
      return "insert_end";
    case MS_PROBE_WRITE:
      return "write";
    case MS_PROBE_FAILED_CHECK:
      return "failed_check";
    case MS_PROBE_WRITE_END:
      return "write_end";
    default:
      return "unknown";
  }
}

std::string_view site_name(Site site) {
  switch (site) {
    case Site::kEntry:
    case Site::kPastEarlyExit:
      return "entry";
    case Site::kExit:
    case Site::kNearExit:
    case Site::kLastExit:
    case Site::kOtherExits:
      return "exit";
    case Site::kCall:
      return "call";
    case Site::kPointerCleared:
      return "pointer_cleared";
    case Site::kLastCheck:
      return "last_check";
  }
  return "";
}

std::string_view mode_name(Mode mode) {
  switch (mode) {
    case Mode::kResizes:
      return "resizes";
    case Mode::kInserts:
      return "inserts";
    case Mode::kRaces:
      return "races";
  }
  return "";
}

std::string kernel_text(const KernelFacts& kernel) {
  return std::to_string(kernel.major) + "." + std::to_string(kernel.minor);
}

std::vector<std::string_view> absent_functions(const ProbePlan& plan) {
  std::vector<std::string_view> names;
  for (const MissingProbe& missing : plan.missing) {
    const std::string_view name = missing.spec->symbol;
    if (missing.absent && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  }
  return names;
}

}  // namespace mapscope
