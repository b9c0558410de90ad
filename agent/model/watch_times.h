// SPDX-License-Identifier: Apache-2.0
// agent/model/watch_times.h – for how long each process was there and for how long it was watched.
//
// Bounded: one entry for each process that is there, and at most kMaxKept of those that were paused
// and have gone; further ones are only counted. Threads: one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/pause.h"

namespace mapscope {

class WatchTimes {
 public:
  static constexpr size_t kMaxKept = 1024;

  struct Total {
    int pid = 0;
    std::string comm;
    std::string exe;
    uint64_t present_ns = 0;          // since it is a target
    uint64_t watched_ns = 0;          // of these, without the pauses
    std::optional<PauseCause> cause;  // of its last pause; absent: itself
  };

  // Nothing changes for one that has begun already.
  void begin(const Target& target, uint64_t now_ns);
  void add(const Pause& pause);
  void end(const Target& target, uint64_t now_ns);

  // Those that were not watched all the time, the longest pauses first.
  [[nodiscard]] std::vector<Total> paused(uint64_t now_ns) const;
  [[nodiscard]] uint64_t not_kept() const { return not_kept_; }

 private:
  struct Entry {
    Total total;
    uint64_t begin_ns = 0;
    uint64_t paused_ns = 0;                  // without the pause that goes on
    std::optional<uint64_t> pause_begin_ns;  // of the one that goes on
  };
  static Total total_of(const Entry& entry, uint64_t now_ns);

  std::map<uint32_t, Entry> entries_;  // by Target::id
  std::vector<Total> gone_;
  uint64_t not_kept_ = 0;
};

}  // namespace mapscope
