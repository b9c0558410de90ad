// SPDX-License-Identifier: Apache-2.0
#include "agent/model/target_table.h"

#include <utility>

namespace mapscope {

std::string_view to_string(TargetState state) {
  switch (state) {
    case TargetState::kAttached:
      return "attached";
    case TargetState::kUnsupported:
      return "unsupported";
    case TargetState::kGone:
      return "gone";
  }
  return "unknown";
}

Target* TargetTable::add(Target target) {
  target.id = next_id_++;
  const uint32_t id = target.id;
  return targets_.emplace(id, std::make_unique<Target>(std::move(target))).first->second.get();
}

Target* TargetTable::find(uint32_t id) {
  const auto found = targets_.find(id);
  return found == targets_.end() ? nullptr : found->second.get();
}

const Target* TargetTable::find(uint32_t id) const {
  return const_cast<TargetTable*>(this)->find(id);
}

void TargetTable::mark_gone(uint32_t id) {
  Target* target = find(id);
  if (target == nullptr || target->state == TargetState::kGone) return;
  target->state = TargetState::kGone;
  target->probes = 0;
  gone_.push_back({id, 0});
  if (gone_.size() > kMaxGone) forget_oldest();
}

void TargetTable::forget_oldest() {
  const uint32_t id = gone_.front().id;
  gone_.pop_front();
  targets_.erase(id);
  forgotten_.push_back(id);
}

std::vector<uint32_t> TargetTable::expire(uint64_t now_ns) {
  while (!gone_.empty() && gone_.front().since_ns != 0 &&
         gone_.front().since_ns + kGoneNs <= now_ns) {
    forget_oldest();
  }
  for (Gone& gone : gone_) {
    // Nothing of it is on its way any more: its program may be closed.
    if (Target* target = gone.since_ns == 0 ? nullptr : find(gone.id)) target->loaded.reset();
    if (gone.since_ns == 0) gone.since_ns = now_ns;
  }
  return std::exchange(forgotten_, {});
}

std::vector<Target> TargetTable::snapshot() const {
  std::vector<Target> all;
  all.reserve(targets_.size());
  for (const auto& [id, target] : targets_) all.push_back(*target);
  return all;
}

}  // namespace mapscope
