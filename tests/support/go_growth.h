// SPDX-License-Identifier: Apache-2.0
// tests/support/go_growth.h – growths of a Go program: its own truth held against the agent's
// events.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mapscope::test {

// NOLINTNEXTLINE(bugprone-exception-escape): of an empty json value none comes
struct GoTruth {
  std::vector<nlohmann::json> finished;  // by begin
  std::vector<nlohmann::json> pending;   // begun and not ended
  nlohmann::json totals;                 // counts by map type
};

// REQUIRES: the program has ended and has written the file.
GoTruth read_go_truth(const std::string& path);

// What a generic function knows of its types is their shape: go.shape.int64_0 is int64.
std::string without_shapes(std::string text);

// "" when every growth of the truth is one event and the other way round: same map, type, kind,
// trigger, sizes, entries, directory, level, goroutine, thread and source line, begun when the
// program says so. Else
// the first differences, in words.
std::string go_difference(const GoTruth& truth, const std::vector<nlohmann::json>& events);

}  // namespace mapscope::test
