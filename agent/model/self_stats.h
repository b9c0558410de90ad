// SPDX-License-Identifier: Apache-2.0
// agent/model/self_stats.h – what the agent knows about itself at the moment of a scrape. Plain
// values.
//
// All counts are cumulative since the agent started, except the ones said to be "now". A reason or
// type that can occur is listed with 0 before it occurs, so that its series exists. Names that come
// from targets (process, map_type) may be hostile; whoever shows them escapes them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/discover/cri/container_runtime.h"

namespace mapscope {

struct SelfStats {
  struct Count {
    std::string name;
    uint64_t count = 0;
  };
  struct ProcessValue {
    std::string process;         // comm of the target
    std::string runtime;         // the room's stem
    std::string what;            // of that process: its map type, a step; "" unknown, or all of it
    double value = 0;            // a count, seconds or bytes
    std::string container_id{};  // "" in none
    std::string pod_uid{};
  };

  // Inserts of one map type and how long they took, split by whether their map was being resized.
  struct InsertTimes {
    std::string process;
    std::string runtime;
    std::string map_type;  // "" unknown
    bool during_resize = false;
    // [i]: those of at least 2^i and less than 2^(i+1) ns; the last also holds all longer ones.
    std::array<uint64_t, 32> log2_ns{};
    uint64_t sum_ns = 0;
    std::string container_id{};  // "" in none
    std::string pod_uid{};
  };

  std::vector<Count> records;             // accepted from the rings, by type: resize, stack, ...
  std::vector<Count> lost;                // records or parts of them, by reason
  std::vector<Count> probes;              // now, by state: attached, failed, ...
  std::vector<Count> attach_errors;       // by reason
  std::vector<ProcessValue> pending;      // resizes begun and not ended, now
  std::vector<ProcessValue> headrooms;    // bytes up to the memory limit, now; only with a limit
  std::vector<ProcessValue> inserts;      // only in the modes that count them
  std::vector<InsertTimes> insert_times;  // likewise
  std::vector<ProcessValue> overheads;    // seconds that targets spent in probes
  std::vector<ProcessValue> reliefs;      // steps taken because of the budget
  std::vector<std::pair<std::string, double>> probe_costs;  // seconds of a hit, by site
  std::optional<double> ring_fill_ratio;  // now, fullest ring, 0 to 1; absent before attaching
  std::optional<uint64_t> probe_hits;     // absent when no BPF program counts them
  std::optional<bool> web_config_ok;      // now: the file is in force as it is; absent without one
  std::optional<uint64_t> cri_errors;     // unanswered; absent when no runtime is asked
  std::vector<ContainerName> container_names;  // known, of containers with targets
  uint64_t stacks_skipped = 0;   // by the rate limit; their resizes are complete but for the stack
  uint64_t stacks_evicted = 0;   // resolved, and let go of for others
  uint64_t expired_resizes = 0;  // begun, and their process was gone before the end
};

}  // namespace mapscope
