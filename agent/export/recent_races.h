// SPDX-License-Identifier: Apache-2.0
// agent/export/recent_races.h – the last races, for /api/v1/races.
//
// A ring of copies that own what a Race only points to, both stacks included: races are few.
// Threads: all members may be called from any thread; add() takes one lock.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>

#include "agent/model/resize.h"

namespace mapscope {

class RecentRaces {
 public:
  explicit RecentRaces(size_t capacity = 100) : capacity_(capacity) {}

  // REQUIRES: race.target is not nullptr.
  void add(const Race& race);

  // A JSON array of the last `limit` races, newest last. Copies under the lock, renders without.
  [[nodiscard]] std::string json(size_t limit) const;
  [[nodiscard]] size_t capacity() const { return capacity_; }

 private:
  struct Slot {
    Race race;  // its pointers and views mean nothing; json() says what they stand for
    Target target;
    std::string comm;
    std::array<Stack, 2> stacks;  // of the first writer and of the second; empty: unknown
  };

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<Slot> slots_;
};

}  // namespace mapscope
