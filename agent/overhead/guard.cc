// SPDX-License-Identifier: Apache-2.0
#include "agent/overhead/guard.h"

#include <time.h>

#include <optional>

namespace mapscope {
namespace {

// Of all threads, since the process began; nullopt: it is gone.
std::optional<double> cpu_time_ns(int pid) {
  clockid_t clock = 0;
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    return std::nullopt;
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

const ProcessLabels kOther = {"other", "other", {}, {}};

}  // namespace

double OverheadGuard::new_cost(const Metered& target) const {
  const auto seen = seen_.find(target.id);
  const double before_ns = seen == seen_.end() ? 0 : seen->second.cost_ns;
  return overhead_ns(programs_->read_use(target.slot), costs_) - before_ns;
}

void OverheadGuard::add(const Metered& target, double ns, Totals& totals) {
  const bool has_room = totals.size() < kMaxKept || totals.contains(*target.labels);
  totals[has_room ? *target.labels : kOther] += ns;
}

double OverheadGuard::add_cost(const Metered& target, Seen& seen) {
  const double more_ns = new_cost(target);
  seen.cost_ns += more_ns;
  add(target, more_ns, total_ns_);
  return more_ns;
}

std::vector<OverheadGuard::Excess> OverheadGuard::look(uint64_t now_ns,
                                                       const std::vector<Metered>& targets) {
  due_ns_ = now_ns + kEveryNs;
  std::vector<Excess> over;
  for (const Metered& target : targets) {
    const auto [entry, is_new] = seen_.try_emplace(target.id, Seen{0, 0, Budget(budget_)});
    Seen& seen = entry->second;
    const double cost_ns = add_cost(target, seen);
    // Most are idle most of the time: what they save up meanwhile they have anyway.
    if (cost_ns == 0 && !is_new) continue;
    const std::optional<double> cpu_ns = cpu_time_ns(target.pid);
    if (!cpu_ns) continue;
    const double used_ns = is_new ? 0 : *cpu_ns - seen.cpu_ns;
    seen.cpu_ns = *cpu_ns;
    if (!seen.budget.spend(cost_ns, used_ns)) continue;
    over.push_back({target.id, used_ns > 0 ? cost_ns / used_ns : 1});
    seen.budget.refill();
  }
  return over;
}

void OverheadGuard::forget(const Metered& target) {
  const auto [entry, is_new] = seen_.try_emplace(target.id, Seen{0, 0, Budget(budget_)});
  add_cost(target, entry->second);
  seen_.erase(entry);
}

void OverheadGuard::count_relief(const ProcessLabels& labels, const std::string& step) {
  Step key{labels, step};
  if (reliefs_.size() >= kMaxKept && !reliefs_.contains(key)) key.first = kOther;
  ++reliefs_[key];
}

void OverheadGuard::add_stats(SelfStats& stats, const std::vector<Metered>& targets) const {
  constexpr double kSecondsPerNs = 1e-9;
  Totals totals = total_ns_;
  for (const Metered& target : targets) add(target, new_cost(target), totals);
  for (const auto& [labels, ns] : totals) {
    stats.overheads.push_back({labels.process, labels.runtime, "", ns * kSecondsPerNs,
                               labels.container_id, labels.pod_uid});
  }
  for (const auto& [key, count] : reliefs_) {
    const auto& [labels, step] = key;
    stats.reliefs.push_back({labels.process, labels.runtime, step, static_cast<double>(count),
                             labels.container_id, labels.pod_uid});
  }
  stats.probe_costs = {{"nop", costs_.nop_ns * kSecondsPerNs},
                       {"push", costs_.push_ns * kSecondsPerNs},
                       {"single_stepped", costs_.single_stepped_ns * kSecondsPerNs}};
}

}  // namespace mapscope
