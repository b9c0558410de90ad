// SPDX-License-Identifier: Apache-2.0
#include "tests/support/growth.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace mapscope::test {
namespace {

std::optional<uint64_t> number(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::nullopt : std::optional<uint64_t>(found->get<uint64_t>());
}

Growth growth_of(const nlohmann::json& object, const nlohmann::json& map) {
  Growth growth;
  growth.begin_ns = object.at("begin_ns");
  growth.stall_ns = number(object, "stall_ns");
  growth.tid = object.at("tid");
  growth.map = map;
  growth.old_slots = object.at("old_slots");
  growth.new_slots = object.at("new_slots");
  growth.entries = object.at("entries");
  growth.kind = object.at("kind");
  growth.trigger = object.at("trigger");
  growth.blocked_threads = number(object, "blocked_threads");
  growth.blocked_ns = number(object, "blocked_ns");
  return growth;
}

uint64_t distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

}  // namespace

bool Growth::same_fact(const Growth& other) const {
  return tid == other.tid && map == other.map && old_slots == other.old_slots &&
         new_slots == other.new_slots && entries == other.entries && kind == other.kind &&
         trigger == other.trigger;
}

std::ostream& operator<<(std::ostream& out, const Growth& growth) {
  return out << growth.kind << " by " << growth.trigger << ' ' << growth.old_slots << " to "
             << growth.new_slots << " slots with " << growth.entries << " entries of map "
             << growth.map << " in thread " << growth.tid << " at " << growth.begin_ns << " ns";
}

Growth growth_of_truth(const nlohmann::json& line) {
  Growth growth = growth_of(line, line.at("map"));
  if (const auto end_ns = number(line, "end_ns")) growth.wall_ns = *end_ns - growth.begin_ns;
  return growth;
}

Growth growth_of_event(const nlohmann::json& event) {
  Growth growth = growth_of(event, event.at("map").at("addr"));
  growth.wall_ns = number(event, "wall_ns");
  return growth;
}

Truth read_truth(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("there is no truth at " + path);
  Truth truth;
  for (std::string line; std::getline(file, line);) {
    Growth growth = growth_of_truth(nlohmann::json::parse(line));
    if (growth.wall_ns) {
      truth.growths.push_back(std::move(growth));
    } else {
      ++truth.unfinished;
    }
  }
  return truth;
}

std::string difference(const std::vector<Growth>& truth, const std::vector<Growth>& seen) {
  std::ostringstream text;
  const size_t both = std::min(truth.size(), seen.size());
  for (size_t i = 0; i < both; ++i) {
    if (truth[i].same_fact(seen[i])) continue;
    text << "growth " << i << " was a " << truth[i] << "; seen was a " << seen[i];
    return text.str();
  }
  if (truth.size() != seen.size()) {
    text << truth.size() << " growths were, " << seen.size() << " were seen";
  }
  return text.str();
}

std::string outside(const std::vector<Growth>& truth, const std::vector<Growth>& seen) {
  // The clock that BPF reads is not corrected at the very instant at which the target's is.
  constexpr uint64_t kCorrectionNs = 10'000;
  for (size_t i = 0; i < truth.size(); ++i) {
    const uint64_t true_end_ns = truth[i].begin_ns + truth[i].wall_ns.value();
    const uint64_t seen_end_ns = seen[i].begin_ns + seen[i].wall_ns.value();
    if (seen[i].begin_ns + kCorrectionNs >= truth[i].begin_ns &&
        seen_end_ns <= true_end_ns + kCorrectionNs) {
      continue;
    }
    std::ostringstream text;
    text << "growth " << i << " went from " << truth[i].begin_ns << " to " << true_end_ns
         << ", and was seen from " << seen[i].begin_ns << " to " << seen_end_ns;
    return text.str();
  }
  return "";
}

uint64_t median(std::vector<uint64_t> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

ClockError median_error(const std::vector<Growth>& truth, const std::vector<Growth>& seen) {
  std::vector<uint64_t> begins;
  std::vector<uint64_t> walls;
  for (size_t i = 0; i < truth.size(); ++i) {
    begins.push_back(distance(truth[i].begin_ns, seen[i].begin_ns));
    walls.push_back(distance(truth[i].wall_ns.value(), seen[i].wall_ns.value()));
  }
  return {median(std::move(begins)), median(std::move(walls))};
}

void sort_by_begin(std::vector<Growth>& growths) {
  std::stable_sort(growths.begin(), growths.end(),
                   [](const Growth& a, const Growth& b) { return a.begin_ns < b.begin_ns; });
}

std::set<uint64_t> tids_of(const std::vector<Growth>& growths) {
  std::set<uint64_t> tids;
  for (const Growth& growth : growths) tids.insert(growth.tid);
  return tids;
}

std::vector<Growth> of_thread(const std::vector<Growth>& growths, uint64_t tid) {
  std::vector<Growth> chosen;
  std::copy_if(growths.begin(), growths.end(), std::back_inserter(chosen),
               [&](const Growth& growth) { return growth.tid == tid; });
  return chosen;
}

}  // namespace mapscope::test
