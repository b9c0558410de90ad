// SPDX-License-Identifier: Apache-2.0
#include "agent/export/recent_races.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/export/event_json.h"
#include "agent/export/wall_clock.h"

namespace mapscope {

void RecentRaces::add(const Race& race) {
  Slot slot{race, *race.target, std::string(race.comm), {}};
  slot.target.loaded.reset();
  if (race.first.stack != nullptr) slot.stacks[0] = *race.first.stack;
  if (race.second.stack != nullptr) slot.stacks[1] = *race.second.stack;
  slot.race.first.stack.reset();
  slot.race.second.stack.reset();
  const std::lock_guard lock(mutex_);
  slots_.push_back(std::move(slot));
  if (slots_.size() > capacity_) slots_.pop_front();
}

std::string RecentRaces::json(size_t limit) const {
  std::vector<Slot> last;
  {
    const std::lock_guard lock(mutex_);
    const size_t count = std::min(limit, slots_.size());
    last.assign(slots_.end() - static_cast<std::ptrdiff_t>(count), slots_.end());
  }
  std::string out = "[";
  WallClock clock;
  for (Slot& slot : last) {
    if (out.size() > 1) out += ',';
    Race& race = slot.race;
    race.target = &slot.target;
    race.comm = slot.comm;
    race.first.stack = borrow(slot.stacks[0]);
    race.second.stack = borrow(slot.stacks[1]);
    append_race_json(out, race, clock.rfc3339(race.second.begin_ns));
  }
  return out += ']';
}

}  // namespace mapscope
