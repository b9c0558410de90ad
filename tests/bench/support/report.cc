// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/support/report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace mapscope::test {

Range range_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

void Report::add(const std::string& name, const Range& range, const std::string& unit) {
  std::printf("%-36s %10.2f  %10.2f … %-10.2f %s\n", name.c_str(), range.median, range.min,
              range.max, unit.c_str());
  std::fflush(stdout);
  keep(name, range);
}

void Report::keep(const std::string& name, const Range& range) {
  json_[name] = {{"median", range.median}, {"min", range.min}, {"max", range.max}};
}

void Report::write(const std::string& path) const {
  if (!path.empty()) std::ofstream(path) << json_.dump(2) << '\n';
}

}  // namespace mapscope::test
