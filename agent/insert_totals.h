// SPDX-License-Identifier: Apache-2.0
// agent/insert_totals.h – inserts by process, runtime and map type, added up over targets, past and
// present.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "agent/model/process_labels.h"
#include "bpf/wire.h"

namespace mapscope {

struct InsertTotal {
  uint64_t count = 0;
  bool timed = false;
  std::array<uint64_t, MS_INSERT_PHASES> sum_ns{};
  std::array<std::array<uint64_t, MS_TIME_BUCKETS>, MS_INSERT_PHASES> log2_ns{};
};

using InsertTotals = std::map<std::pair<ProcessLabels, std::string>, InsertTotal>;  // map type

inline void add_all(InsertTotals& to, const InsertTotals& from) {
  for (const auto& [labels, total] : from) {
    InsertTotal& sum = to[labels];
    sum.count += total.count;
    sum.timed |= total.timed;
    for (size_t phase = 0; phase < MS_INSERT_PHASES; ++phase) {
      sum.sum_ns[phase] += total.sum_ns[phase];
      for (size_t i = 0; i < MS_TIME_BUCKETS; ++i) sum.log2_ns[phase][i] += total.log2_ns[phase][i];
    }
  }
}

// What processes that are gone have inserted. Bounded; what has no room is added up as "other".
class PastInserts {
 public:
  static constexpr size_t kMaxKept = 4096;
  static constexpr uint64_t kKeptNs = 300'000'000'000;  // after the last of its process has gone

  void add(const InsertTotals& totals) {
    for (const auto& [key, total] : totals) {
      const bool has_room = totals_.size() < kMaxKept || totals_.contains(key);
      add_all(totals_, {{has_room ? key : kOther, total}});
    }
  }
  // is_live(labels): whether a process of these is watched now.
  template <typename IsLive>
  void expire(uint64_t now_ns, IsLive is_live) {
    for (auto entry = totals_.begin(); entry != totals_.end();) {
      const ProcessLabels& labels = entry->first.first;
      uint64_t& seen_ns = seen_ns_[labels];
      if (seen_ns == 0 || is_live(labels)) seen_ns = now_ns;
      const bool keep = entry->first == kOther || now_ns - seen_ns < kKeptNs;
      entry = keep ? std::next(entry) : totals_.erase(entry);
    }
    std::erase_if(seen_ns_, [&](const auto& seen) { return now_ns - seen.second >= kKeptNs; });
  }
  [[nodiscard]] const InsertTotals& totals() const { return totals_; }

 private:
  inline static const InsertTotals::key_type kOther = {{"other", "other", {}, {}}, "other"};

  InsertTotals totals_;
  std::map<ProcessLabels, uint64_t> seen_ns_;  // when it last was live, or was first seen gone
};

}  // namespace mapscope
