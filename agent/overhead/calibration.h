// SPDX-License-Identifier: Apache-2.0
// agent/overhead/calibration.h – what one hit of a probe costs on this machine.
//
// Measured on three tiny functions of this very process, probed with a BPF program that only
// counts. What the agent's programs do on top is not in it. Takes under 200 ms with uprobe_multi.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "agent/attach/programs.h"
#include "agent/base/result.h"
#include "agent/plan/probe_plan.h"

namespace mapscope {

// Nanoseconds a hit adds to the probed thread, by the instruction under the probe.
struct ProbeCosts {
  double nop_ns = 0;
  double push_ns = 0;
  double single_stepped_ns = 0;  // measured on endbr64
  [[nodiscard]] double of(SiteClass site_class) const;
};

// A measured difference may be negative.
inline uint64_t whole_ns(double ns) {
  return static_cast<uint64_t>(std::llround(std::max(0.0, ns)));
}

// Errors: kPermission, kUnsupported, kSystem; the text says which step failed.
// Threads: none of the others may call calibrate() meanwhile.
Result<ProbeCosts> calibrate(AttachMethod method);

}  // namespace mapscope
