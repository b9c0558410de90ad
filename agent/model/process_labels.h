// SPDX-License-Identifier: Apache-2.0
// agent/model/process_labels.h – what series of a process have in common; processes of the same
// labels are added up.
#pragma once

#include <compare>
#include <string>

namespace mapscope {

struct ProcessLabels {
  std::string process;         // comm
  std::string runtime;         // the room's stem
  std::string container_id{};  // "" in none
  std::string pod_uid{};
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 means the 0 that <=> is compared with
  auto operator<=>(const ProcessLabels&) const = default;
};

}  // namespace mapscope
