// SPDX-License-Identifier: Apache-2.0
// target/load/options.h – what the load program is asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "target/strategies/store.h"

namespace mapscope {

enum class Workload {
  kInserts,  // new keys into one store
  kChurn,    // erase the oldest key, insert a new one: same-size growths
  kTiny,     // a stream of small maps, each growing once or twice
};

struct LoadOptions {
  Strategy strategy = Strategy::kPlain;
  GrowthMode growth = GrowthMode::kIncremental;
  Workload workload = Workload::kInserts;
  unsigned threads = 1;
  uint64_t inserts = 0;  // new keys in all; 0: until seconds are over
  double seconds = 0;    // 0: until inserts are done
  uint64_t keys = 0;  // entries the map has when a lap is over (inserts), or all the time (churn)
  double read_share = 0;  // of all operations, 0 up to but not including 1
  uint64_t rate = 0;      // tiny: resizes per second in all; 0: as fast as possible
  uint64_t sleep_in_grow_us = 0;
  uint64_t reserve = 0;  // entries that every map is made for
  uint64_t repeat = 0;
  bool compare = false;
  bool json = false;
  bool wait = false;
  std::string truth_path{};  // empty: none
};

// Fills options from the command line. Returns the exit code when the program should end here: 0
// after --help, 2 after a mistake, which was explained on stderr in one line.
[[nodiscard]] std::optional<int> parse_options(int argc, char** argv, LoadOptions& options);

}  // namespace mapscope
