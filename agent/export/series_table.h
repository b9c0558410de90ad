// SPDX-License-Identifier: Apache-2.0
// agent/export/series_table.h – values by a process' labels and one more, bounded, expiring.
//
// Labels are cleaned (assign_label) before they become a key, so two hostile names that are shown
// alike are one series. A process that has `max_thirds` series has one more for all its other third
// labels, named "other", so that none uses up the room of all. When `max_series` exist, new label
// tuples share one overflow series whose labels are "other", those of a container absent; it cannot
// collide, because no runtime is named so.
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

  explicit SeriesTable(size_t max_series, size_t max_thirds = SIZE_MAX)
      : max_series_(max_series), max_thirds_(max_thirds) {}

  // The series of these labels, made if need be and marked as changed. Valid until expire().
  // Does not allocate for a series that exists, nor for the overflow series.
  Value& at(const LabelViews& labels) {
    Series* series = find(labels);
    if (series == nullptr) {
      for (size_t i = 0; i < labels.size(); ++i) assign_label(clean_[i], labels[i]);
      series = find({clean_[0], clean_[1], clean_[2], clean_[3], clean_[4]});
    }
    if (series == nullptr) series = make();
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
      if (now_ns - series.seen_ns < after_ns) {
        ++item;
        continue;
      }
      release(item->first);
      item = series_.erase(item);
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

  // The series of clean_, which does not exist, or what it overflows into.
  Series* make() {
    if (series_.size() >= max_series_) return &overflow_;
    size_t& thirds = thirds_[owner(clean_)];
    if (thirds >= max_thirds_) clean_[2] = kOverflowLabel;
    if (clean_[2] != kOverflowLabel) ++thirds;
    return &series_[clean_];
  }

  // Of one that is forgotten; that for all others of its process was not counted.
  void release(const Labels& labels) {
    const auto thirds = thirds_.find(owner(labels));
    if (thirds == thirds_.end() || labels[2] == kOverflowLabel) return;
    if (--thirds->second == 0) thirds_.erase(thirds);
  }

  static Labels owner(const Labels& labels) {
    return {labels[0], labels[1], {}, labels[3], labels[4]};
  }

  size_t max_series_;
  size_t max_thirds_;
  std::unordered_map<Labels, Series, Hash, Equal> series_;
  std::unordered_map<Labels, size_t, Hash, Equal> thirds_;  // series by process
  Series overflow_;
  Labels clean_;  // reused
};

}  // namespace mapscope
