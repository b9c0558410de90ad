// SPDX-License-Identifier: Apache-2.0
// tests/bench/support/report.h – what a benchmark says: a table while it runs, and all of it as one
// JSON object, by name.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mapscope::test {

struct Range {
  double median, min, max;
};

// REQUIRES: there are values.
Range range_of(std::vector<double> values);

class Report {
 public:
  // A line: the name, the median and the range, then the unit ("" for ratios).
  void add(const std::string& name, const Range& range, const std::string& unit = "");
  // Not printed.
  void keep(const std::string& name, const Range& range);
  void keep(const std::string& name, double value) { json_[name] = value; }
  [[nodiscard]] double kept(const std::string& name, double otherwise) const {
    return json_.value(name, otherwise);
  }
  // Nothing when the path is empty.
  void write(const std::string& path) const;

 private:
  nlohmann::json json_ = nlohmann::json::object();
};

}  // namespace mapscope::test
