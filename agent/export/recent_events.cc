// SPDX-License-Identifier: Apache-2.0
#include "agent/export/recent_events.h"

#include <algorithm>
#include <utility>

#include "agent/export/event_json.h"
#include "agent/export/event_text.h"
#include "agent/export/wall_clock.h"

namespace mapscope {

void RecentEvents::add(const Fatal& fatal) {
  WallClock clock;
  Event event;
  event.process = fatal.target->comm;
  event.time = clock.rfc3339(fatal.time_ns);
  append_fatal_json(event.json, fatal, event.time);
  event.text = target_name(*fatal.target) + ", " + fatal_text(fatal);
  keep(std::move(event));
}

void RecentEvents::add(const Race& race) {
  WallClock clock;
  Event event;
  event.process = race.target->comm;
  event.time = clock.rfc3339(race.second.begin_ns);
  append_race_json(event.json, race, event.time);
  const RaceText text = race_text(race);
  event.text = target_name(*race.target) + ": " + text.second + " while " + text.first;
  keep(std::move(event));
}

void RecentEvents::keep(Event event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  if (events_.size() > capacity_) events_.pop_front();
}

std::vector<RecentEvents::Event> RecentEvents::last(size_t limit, std::string_view process) const {
  std::vector<Event> last;
  const std::lock_guard lock(mutex_);
  for (auto event = events_.rbegin(); event != events_.rend() && last.size() < limit; ++event) {
    if (process.empty() || event->process == process) last.push_back(*event);
  }
  std::ranges::reverse(last);
  return last;
}

std::string RecentEvents::json(size_t limit, std::string_view process) const {
  std::string out = "[";
  for (const Event& event : last(limit, process)) {
    if (out.size() > 1) out += ',';
    out += event.json;
  }
  return out += ']';
}

}  // namespace mapscope
