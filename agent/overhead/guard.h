// SPDX-License-Identifier: Apache-2.0
// agent/overhead/guard.h – reads what probes cost every target, adds it up, and says who has had
// more than the budget.
//
// Threads: one, but for what the watcher's lock makes one of.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/attach/programs.h"
#include "agent/model/process_labels.h"
#include "agent/model/self_stats.h"
#include "agent/overhead/budget.h"

namespace mapscope {

class OverheadGuard {
 public:
  // How long after it has begun a storm is noticed, at most.
  static constexpr uint64_t kEveryNs = 200'000'000;
  static constexpr size_t kMaxKept = 1024;  // processes by their labels

  struct Metered {
    uint32_t id;
    int pid;
    uint32_t slot;
    const ProcessLabels* labels;
  };
  struct Excess {
    uint32_t id;
    double share;  // of its CPU time, since the last look
  };

  // `budget`: a share of a target's CPU time; 0: none. REQUIRES: programs outlive it.
  OverheadGuard(const Programs& programs, const ProbeCosts& costs, double budget)
      : programs_(&programs), costs_(costs), budget_(budget) {}

  [[nodiscard]] bool is_due(uint64_t now_ns) const { return now_ns >= due_ns_; }
  // Those over the budget, whose budgets are then as new.
  std::vector<Excess> look(uint64_t now_ns, const std::vector<Metered>& targets);
  // The last look at one that goes.
  void forget(const Metered& target);
  void count_relief(const ProcessLabels& labels, const std::string& step);
  // Up to now, with what these have cost since the last look.
  void add_stats(SelfStats& stats, const std::vector<Metered>& targets) const;

 private:
  struct Seen {
    double cost_ns = 0;
    double cpu_ns = 0;
    Budget budget;
  };
  using Step = std::pair<ProcessLabels, std::string>;

  using Totals = std::map<ProcessLabels, double>;

  // What a target has cost since the last look.
  [[nodiscard]] double new_cost(const Metered& target) const;
  // Charges it.
  double add_cost(const Metered& target, Seen& seen);
  static void add(const Metered& target, double ns, Totals& totals);

  const Programs* programs_;
  ProbeCosts costs_;
  double budget_;
  uint64_t due_ns_ = 0;
  std::map<uint32_t, Seen> seen_;
  // Of targets that are gone as well. What has no room is added up as "other".
  Totals total_ns_;
  std::map<Step, uint64_t> reliefs_;
};

}  // namespace mapscope
