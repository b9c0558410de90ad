// SPDX-License-Identifier: Apache-2.0
// agent/export/series_table.h – values by a process' labels and one more, bounded, expiring.
//
// Labels are cleaned (assign_label) before they become a key, so two hostile names that are shown
// alike are one series. When `max_series` exist, new label tuples share one overflow series whose
// labels are "other", those of a container absent; it cannot collide, because no runtime is named
// so.
// Threads: none of its own; the owner locks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/export/text.h"

namespace mapscope {

inline constexpr std::string_view kOverflowLabel = "other";

template <typename Value>
class SeriesTable {
 public:
  // process, runtime, third, container_id, pod_uid
  using Labels = std::array<std::string, 5>;
  using LabelViews = std::array<std::string_view, 5>;
  using Entry = std::pair<Labels, Value>;

  explicit SeriesTable(size_t max_series) : max_series_(max_series) {}

  // The series of these labels, made if need be and marked as changed. Valid until expire().
  // Does not allocate for a series that exists, nor for the overflow series.
  Value& at(const LabelViews& labels) {
    Series* series = find(labels);
    if (series == nullptr) {
      for (size_t i = 0; i < labels.size(); ++i) assign_label(clean_[i], labels[i]);
      series = find({clean_[0], clean_[1], clean_[2], clean_[3], clean_[4]});
    }
    if (series == nullptr && series_.size() < max_series_) series = &series_[clean_];
    if (series == nullptr) series = &overflow_;
    series->changed = true;
    series->used = true;
    return series->value;
  }

  // Forgets the series that did not change for `after_ns` and for which `is_live(labels)` is
  // false. A change is dated by the first call that sees it. The overflow series stays.
  template <typename IsLive>
  void expire(uint64_t now_ns, uint64_t after_ns, IsLive is_live) {
    for (auto item = series_.begin(); item != series_.end();) {
      Series& series = item->second;
      if (std::exchange(series.changed, false) || is_live(item->first)) series.seen_ns = now_ns;
      item = now_ns - series.seen_ns >= after_ns ? series_.erase(item) : std::next(item);
    }
  }

  [[nodiscard]] std::vector<Entry> copy() const {
    std::vector<Entry> entries;
    entries.reserve(series_.size() + 1);
    for (const auto& [labels, series] : series_) entries.emplace_back(labels, series.value);
    if (overflow_.used) {
      const std::string other(kOverflowLabel);
      entries.emplace_back(Labels{other, other, other, {}, {}}, overflow_.value);
    }
    return entries;
  }

 private:
  struct Series {
    Value value{};
    uint64_t seen_ns = 0;  // when it last was live or had changed
    bool changed = false;
    bool used = false;
  };
  struct Hash {
    using is_transparent = void;
    template <typename Key>
    size_t operator()(const Key& key) const {
      size_t hash = 0;
      for (const std::string_view label : key) {
        hash = (hash ^ std::hash<std::string_view>()(label)) * 0x9e3779b97f4a7c15U;
      }
      return hash;
    }
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }
  };

  Series* find(const LabelViews& labels) {
    const auto found = series_.find(labels);
    return found == series_.end() ? nullptr : &found->second;
  }

  size_t max_series_;
  std::unordered_map<Labels, Series, Hash, Equal> series_;
  Series overflow_;
  Labels clean_;  // reused
};

}  // namespace mapscope
