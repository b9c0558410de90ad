// SPDX-License-Identifier: Apache-2.0
// agent/export/metric_samples.h – builds the samples of one family for one scrape.
#pragma once

#include <prometheus/metric_family.h>

#include <cstddef>
#include <initializer_list>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/export/map_series.h"
#include "agent/export/metric_families.h"
#include "agent/export/series_table.h"

namespace mapscope {

inline double seconds(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

// A counter or gauge. Values of equal labels are combined as the family says; from the `max`-th
// label tuple on they go to one whose labels are "other", those of a container absent.
class Samples {
 public:
  explicit Samples(Family family, size_t max = std::numeric_limits<size_t>::max())
      : spec_(spec_of(family)), max_(max) {}

  // REQUIRES: as many values as the family has labels. Cleans them.
  void add(std::initializer_list<std::string_view> labels, double value);
  void add(std::initializer_list<std::string_view> labels, uint64_t value) {
    add(labels, static_cast<double>(value));
  }
  // Takes the first values, as many as the family has labels before those of a container, and these
  // from the end. REQUIRES: there are as many, and the family has them.
  void add(std::span<const std::string> labels, uint64_t value);

  // Appends the family, unless it has no sample.
  void finish(std::vector<prometheus::MetricFamily>& families) const;

 private:
  void add_clean(std::vector<std::string> labels, double value);

  const FamilySpec& spec_;
  size_t max_;
  std::map<std::vector<std::string>, double> values_;
};

// A histogram. REQUIRES: as many labels as the family has, clean and never the same twice.
class HistogramSamples {
 public:
  // Bounds and sum are multiplied by `unit` on the way out.
  HistogramSamples(Family family, double unit) : spec_(spec_of(family)), unit_(unit) {}

  template <size_t N>
  void add(std::span<const std::string> labels, const std::array<uint64_t, N>& bounds,
           const BucketCounts<N>& counts) {
    add(labels, bounds.data(), counts.counts.data(), N, counts.sum);
  }
  void finish(std::vector<prometheus::MetricFamily>& families);

 private:
  void add(std::span<const std::string> labels, const uint64_t* bounds, const uint64_t* counts,
           size_t bound_count, uint64_t sum);

  const FamilySpec& spec_;
  double unit_;
  std::vector<prometheus::ClientMetric> metrics_;
};

}  // namespace mapscope
