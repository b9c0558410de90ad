// SPDX-License-Identifier: Apache-2.0
// agent/export/recent_resizes.h – the last resizes, for /api/v1/resizes.
//
// A ring of copies that own what a Resize only points to; slots are reused, so add() does not
// allocate once their strings have grown. Of a stack only the call site is kept. Promotions,
// rebuilds and expansions are not kept: they are no resizes, and a busy map of that kind has
// thousands. Threads: all members may be called from any thread; add() takes one lock.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/resize.h"

namespace mapscope {

class RecentResizes {
 public:
  explicit RecentResizes(size_t capacity = 1000) : capacity_(capacity) {}

  void add(const Resize& resize);

  // A JSON array of the last `limit` resizes, newest last; only those of one process unless that is
  // "". Copies under the lock, renders without.
  [[nodiscard]] std::string json(size_t limit, std::string_view process = {}) const;
  [[nodiscard]] size_t capacity() const { return capacity_; }

 private:
  struct Slot {
    Resize resize;  // its pointers and views mean nothing; view() says what they stand for
    Target target;
    std::string comm;
    std::string map_type;
    Frame site;
    bool has_site = false;
    Frame own;
    bool has_own = false;
  };
  [[nodiscard]] std::vector<Slot> last(size_t limit, std::string_view process) const;

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::vector<Slot> slots_;
  size_t next_ = 0;  // where the oldest is, once full
};

}  // namespace mapscope
