// SPDX-License-Identifier: Apache-2.0
// agent/export/recent_events.h – the last events of a rare kind, for /api/v1/fatals, /api/v1/races
// and the landing page.
//
// They are kept as text: an event points to what may be gone when somebody asks for it.
// Threads: all members may be called from any thread; add() renders before it takes the lock.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/resize.h"

namespace mapscope {

class RecentEvents {
 public:
  struct Event {
    std::string process;
    std::string json;  // one object
    std::string time;  // RFC 3339
    std::string text;  // for people, on one line
  };

  explicit RecentEvents(size_t capacity = 100) : capacity_(capacity) {}

  // REQUIRES: the event's target is not nullptr.
  void add(const Fatal& fatal);
  void add(const Race& race);

  // The last `limit` events, newest last; only those of one process unless that is "".
  [[nodiscard]] std::vector<Event> last(size_t limit, std::string_view process = {}) const;
  // The same as a JSON array.
  [[nodiscard]] std::string json(size_t limit, std::string_view process = {}) const;

 private:
  void keep(Event event);

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<Event> events_;
};

}  // namespace mapscope
