// SPDX-License-Identifier: Apache-2.0
// agent/model/pause.h – a process is not watched for a while, because probes cost more than the
// overhead budget, or is watched again. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/model/resize.h"

namespace mapscope {

// The process whose probes cost too much.
struct PauseCause {
  int pid = 0;
  std::string comm;
};

struct Pause {
  const Target* target = nullptr;  // what is not watched, or watched again
  bool begins = true;              // else it ends
  uint64_t time_ns = 0;
  std::optional<uint64_t> until_ns;  // when it is watched again; of a begin
  double share = 0;                  // of its CPU time that probes took; 0 with a cause, at an end
  // Somebody else, who runs the same file and shares its probes; absent: the target itself.
  std::optional<PauseCause> cause;
};

}  // namespace mapscope
