// SPDX-License-Identifier: Apache-2.0
#include "agent/export/metric_samples.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace mapscope {
namespace {

prometheus::MetricFamily empty_family(const FamilySpec& spec) {
  prometheus::MetricFamily family;
  family.name = spec.name;
  family.help = spec.help;
  family.type = spec.type;
  return family;
}

bool is_of_container(std::string_view label) {
  return std::ranges::find(kContainerLabels, label) != kContainerLabels.end();
}

template <typename Values>
std::vector<prometheus::ClientMetric::Label> label_set(const FamilySpec& spec,
                                                       const Values& values) {
  std::vector<prometheus::ClientMetric::Label> labels;
  labels.reserve(spec.label_count());
  for (size_t i = 0; i < spec.label_count(); ++i) {
    if (is_of_container(spec.labels[i]) && values[i].empty()) continue;
    labels.push_back({std::string(spec.labels[i]), std::string(values[i])});
  }
  return labels;
}

double combined(Combine combine, double a, double b) {
  switch (combine) {
    case Combine::kLargest:
      return std::max(a, b);
    case Combine::kLeast:
      return std::min(a, b);
    case Combine::kSum:
      break;
  }
  return a + b;
}

}  // namespace

void Samples::add(std::initializer_list<std::string_view> labels, double value) {
  std::vector<std::string> clean;
  clean.reserve(labels.size());
  for (const std::string_view label : labels) assign_label(clean.emplace_back(), label);
  add_clean(std::move(clean), value);
}

void Samples::add(std::span<const std::string> labels, uint64_t value) {
  std::vector<std::string> clean(spec_.label_count());
  const size_t own = clean.size() - kContainerLabels.size();
  for (size_t i = 0; i < clean.size(); ++i) {
    const size_t from = i < own ? i : labels.size() - (clean.size() - i);
    assign_label(clean[i], labels[from]);
  }
  add_clean(std::move(clean), static_cast<double>(value));
}

void Samples::add_clean(std::vector<std::string> labels, double value) {
  if (values_.size() >= max_ && !values_.contains(labels)) {
    for (size_t i = 0; i < labels.size(); ++i)
      labels[i] = is_of_container(spec_.labels[i]) ? std::string_view() : kOverflowLabel;
  }
  const auto [known, is_first] = values_.try_emplace(std::move(labels), value);
  if (!is_first) known->second = combined(spec_.combine, known->second, value);
}

void Samples::finish(std::vector<prometheus::MetricFamily>& families) const {
  if (values_.empty()) return;
  prometheus::MetricFamily family = empty_family(spec_);
  family.metric.reserve(values_.size());
  for (const auto& [labels, value] : values_) {
    prometheus::ClientMetric metric;
    metric.label = label_set(spec_, labels);
    (spec_.type == kCounter ? metric.counter.value : metric.gauge.value) = value;
    family.metric.push_back(std::move(metric));
  }
  families.push_back(std::move(family));
}

void HistogramSamples::add(std::span<const std::string> labels, const uint64_t* bounds,
                           const uint64_t* counts, size_t bound_count, uint64_t sum) {
  prometheus::ClientMetric metric;
  prometheus::ClientMetric::Histogram& histogram = metric.histogram;
  histogram.bucket.reserve(bound_count);
  for (size_t i = 0; i < bound_count; ++i) {
    histogram.sample_count += counts[i];
    histogram.bucket.push_back({histogram.sample_count, static_cast<double>(bounds[i]) * unit_});
  }
  histogram.sample_count += counts[bound_count];
  histogram.sample_sum = static_cast<double>(sum) * unit_;
  if (histogram.sample_count == 0) return;
  metric.label = label_set(spec_, labels);
  metrics_.push_back(std::move(metric));
}

void HistogramSamples::finish(std::vector<prometheus::MetricFamily>& families) {
  if (metrics_.empty()) return;
  prometheus::MetricFamily family = empty_family(spec_);
  family.metric = std::move(metrics_);
  families.push_back(std::move(family));
}

}  // namespace mapscope
