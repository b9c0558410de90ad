// SPDX-License-Identifier: Apache-2.0
// tests/support/metric_series.h – finds a series among those of a MetricTable. -1: there is none.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/export/metric_families.h"
#include "agent/export/metric_table.h"

namespace mapscope {

using Labels = std::map<std::string, std::string>;

inline Labels labels_of(const prometheus::ClientMetric& metric) {
  Labels labels;
  for (const auto& [name, value] : metric.label) labels[name] = value;
  return labels;
}

inline const prometheus::MetricFamily* find_family(
    const std::vector<prometheus::MetricFamily>& families, Family family) {
  for (const prometheus::MetricFamily& candidate : families) {
    if (candidate.name == spec_of(family).name) return &candidate;
  }
  return nullptr;
}

inline size_t series_count(const MetricTable& table, Family family) {
  const auto families = table.Collect();
  const prometheus::MetricFamily* found = find_family(families, family);
  return found == nullptr ? 0 : found->metric.size();
}

// The one series that has these labels, among others.
inline std::optional<prometheus::ClientMetric> find_series(const MetricTable& table, Family family,
                                                           const Labels& wanted) {
  const auto families = table.Collect();
  const prometheus::MetricFamily* found = find_family(families, family);
  if (found == nullptr) return std::nullopt;
  for (const prometheus::ClientMetric& metric : found->metric) {
    const Labels labels = labels_of(metric);
    if (std::includes(labels.begin(), labels.end(), wanted.begin(), wanted.end())) return metric;
  }
  return std::nullopt;
}

inline double counter(const MetricTable& table, Family family, const Labels& wanted) {
  const auto series = find_series(table, family, wanted);
  return series ? series->counter.value : -1;
}

inline double gauge(const MetricTable& table, Family family, const Labels& wanted) {
  const auto series = find_series(table, family, wanted);
  return series ? series->gauge.value : -1;
}

}  // namespace mapscope
