// SPDX-License-Identifier: Apache-2.0
// agent/loss_log.h – says once of each thing that can run full that it has, what is lost by it and
// what to do. How much is lost is counted by mapscope_records_lost_total. Threads: one.
#pragma once

#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "agent/model/self_stats.h"

namespace mapscope {

class LossLog {
 public:
  // About once a second, with all counts so far.
  void look(const std::vector<SelfStats::Count>& lost);

 private:
  std::set<std::string_view> said_;
};

}  // namespace mapscope
