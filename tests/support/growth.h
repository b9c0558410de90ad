// SPDX-License-Identifier: Apache-2.0
// tests/support/growth.h – one growth, as the target's truth file and the agent's event line tell
// it in the same words.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mapscope::test {

struct Growth {
  uint64_t begin_ns = 0;
  std::optional<uint64_t> wall_ns;  // absent in the truth while unfinished
  std::optional<uint64_t> stall_ns;
  uint64_t tid = 0;
  std::string map;  // address
  uint64_t old_slots = 0;
  uint64_t new_slots = 0;
  uint64_t entries = 0;
  std::string kind;
  std::string trigger;
  std::optional<uint64_t> blocked_threads;
  std::optional<uint64_t> blocked_ns;

  // Everything that must be equal to the last digit; times are not.
  [[nodiscard]] bool same_fact(const Growth& other) const;
};
std::ostream& operator<<(std::ostream& out, const Growth& growth);

Growth growth_of_truth(const nlohmann::json& line);
Growth growth_of_event(const nlohmann::json& event);

// Finished growths of a truth file, in order of their begin; `unfinished` counts the others.
struct Truth {
  std::vector<Growth> growths;
  size_t unfinished = 0;
};
Truth read_truth(const std::string& path);

// "" when both have the same growths in the same order, else the first difference, in words.
std::string difference(const std::vector<Growth>& truth, const std::vector<Growth>& seen);

// "" when every growth was seen to begin and to end between the target's own two readings of the
// clock, however far apart these are, else the first that was not, in words.
// REQUIRES: difference() is "".
std::string outside(const std::vector<Growth>& truth, const std::vector<Growth>& seen);

// 0 when there are none.
uint64_t median(std::vector<uint64_t> values);

// Medians over all growths of how far apart two clocks are. REQUIRES: difference() is "".
struct ClockError {
  uint64_t begin_ns = 0;
  uint64_t wall_ns = 0;
};
ClockError median_error(const std::vector<Growth>& truth, const std::vector<Growth>& seen);

void sort_by_begin(std::vector<Growth>& growths);
std::set<uint64_t> tids_of(const std::vector<Growth>& growths);
std::vector<Growth> of_thread(const std::vector<Growth>& growths, uint64_t tid);

}  // namespace mapscope::test
