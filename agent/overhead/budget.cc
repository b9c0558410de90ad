// SPDX-License-Identifier: Apache-2.0
#include "agent/overhead/budget.h"

#include <algorithm>

namespace mapscope {

double overhead_ns(const ProbeUse& use, const ProbeCosts& costs) {
  auto cost = static_cast<double>(use.program_ns);
  for (const SiteClass site : {SiteClass::kEmulated, SiteClass::kSingleStepped})
    cost += static_cast<double>(use.hits[static_cast<size_t>(site)]) * costs.of(site);
  return cost;
}

bool Budget::spend(double cost_ns, double cpu_ns) {
  if (share_ <= 0) return false;
  left_ns_ = std::min(left_ns_ + share_ * cpu_ns, share_ * kSavedNs) - cost_ns;
  return left_ns_ < 0;
}

}  // namespace mapscope
