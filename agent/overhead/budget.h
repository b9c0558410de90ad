// SPDX-License-Identifier: Apache-2.0
// agent/overhead/budget.h – what probes cost a target, and when that is more than they may.
//
// Pure.   Threads: none of its own.
#pragma once

#include <cstdint>

#include "agent/attach/programs.h"
#include "agent/overhead/calibration.h"

namespace mapscope {

// Nanoseconds that the target's threads spent in probes: their traps, as calibrated, and the
// programs, as measured.
double overhead_ns(const ProbeUse& use, const ProbeCosts& costs);

// A share of the target's CPU time. What is not used may be saved up, as much as kSavedNs of CPU
// time give, so that a burst of growths, as at a program's start, passes; a storm does not: at 1 %
// it is over the budget after 0.1 s in probes.
class Budget {
 public:
  static constexpr double kSavedNs = 10e9;

  // 0.01: 1 %. 0: no limit.
  explicit Budget(double share) : share_(share), left_ns_(share * kSavedNs) {}

  // `cost_ns` in probes while the target used `cpu_ns`. Returns whether that is over the budget.
  bool spend(double cost_ns, double cpu_ns);
  // As at the beginning.
  void refill() { left_ns_ = share_ * kSavedNs; }

 private:
  double share_;
  double left_ns_;
};

}  // namespace mapscope
