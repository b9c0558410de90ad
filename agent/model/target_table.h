// SPDX-License-Identifier: Apache-2.0
// agent/model/target_table.h – every process that was watched, by the number that its records
// carry.
//
// Numbers are never used twice in one run. Gone targets are kept while late records may still name
// them, for kGoneNs; the oldest are forgotten beyond `kMaxGone`. Threads: one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "agent/model/resize.h"

namespace mapscope {

class TargetTable {
 public:
  static constexpr size_t kMaxGone = 1024;
  static constexpr uint64_t kGoneNs = 60'000'000'000;

  // Takes over the description and gives it a number. The pointer stays valid while the target is
  // not forgotten.
  Target* add(Target target);
  // nullptr when unknown or forgotten.
  [[nodiscard]] Target* find(uint32_t id);
  [[nodiscard]] const Target* find(uint32_t id) const;
  void mark_gone(uint32_t id);
  // Forgets what is gone since long enough, and returns the numbers of all that were forgotten
  // since the last call.
  std::vector<uint32_t> expire(uint64_t now_ns);
  // The number given last; 0: none yet.
  [[nodiscard]] uint32_t last_id() const { return next_id_ - 1; }
  [[nodiscard]] size_t size() const { return targets_.size(); }
  // By number.
  [[nodiscard]] const std::map<uint32_t, std::unique_ptr<Target>>& all() const { return targets_; }
  [[nodiscard]] std::vector<Target> snapshot() const;

 private:
  void forget_oldest();

  uint32_t next_id_ = 1;
  std::map<uint32_t, std::unique_ptr<Target>> targets_;
  struct Gone {
    uint32_t id = 0;
    uint64_t since_ns = 0;  // 0: not dated yet, which the next expire() does
  };
  std::deque<Gone> gone_;
  std::vector<uint32_t> forgotten_;  // not told yet
};

}  // namespace mapscope
