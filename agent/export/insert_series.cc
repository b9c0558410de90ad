// SPDX-License-Identifier: Apache-2.0
#include "agent/export/insert_series.h"

#include <algorithm>

#include "agent/export/series_table.h"
#include "agent/export/text.h"

namespace mapscope {
namespace {

constexpr std::string_view kResize = "resize";
constexpr std::string_view kSteady = "steady";

}  // namespace

void InsertSeries::add(const SelfStats::InsertTimes& times) {
  Labels labels;
  assign_label(labels[0], times.process);
  assign_label(labels[1], times.runtime);
  assign_label(labels[2], times.map_type);
  labels[3] = times.during_resize ? kResize : kSteady;
  assign_label(labels[4], times.container_id);
  assign_label(labels[5], times.pod_uid);
  Labels sibling = labels;
  sibling[3] = times.during_resize ? kSteady : kResize;
  if (!series_.contains(labels) && !series_.contains(sibling)) {
    if (maps_ < max_) {
      ++maps_;
    } else {
      std::fill_n(labels.begin(), 3, std::string(kOverflowLabel));
      std::fill_n(labels.begin() + 4, 2, std::string());
    }
  }
  Counts& counts = series_[labels];
  for (size_t i = 0; i < times.log2_ns.size(); ++i) {
    const size_t bucket = i < kFirstInsertBucket ? 0 : i - kFirstInsertBucket;
    counts.counts[std::min(bucket, kInsertBoundsNs.size())] += times.log2_ns[i];
  }
  counts.sum += times.sum_ns;
}

}  // namespace mapscope
