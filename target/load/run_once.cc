// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "target/load/modes.h"
#include "target/load/run.h"

namespace mapscope {
namespace {

constexpr double kMebibyte = 1024 * 1024;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

void print_result(const LoadOptions& options, const RunRecord& record) {
  const RunTotals& totals = record.totals();
  const double seconds = record.seconds(totals.end_ns);
  const auto inserts = record.inserts();
  if (options.json) {
    const nlohmann::json result = {{"strategy", name_of(options.strategy)},
                                   {"threads", options.threads},
                                   {"seconds", seconds},
                                   {"operations", record.operations()},
                                   {"inserts", inserts},
                                   {"resizes", totals.resizes.load()},
                                   {"resizing_ns", totals.resizing_ns.load()},
                                   {"allocated_bytes", totals.allocated_bytes.load()}};
    fmt::print("{}\n", result.dump());
    return;
  }
  fmt::print(
      "{}: {} inserts among {} operations by {} thread{} in {:.3f} s, {} resizes, {:.1f} MiB "
      "allocated\n",
      name_of(options.strategy), inserts, record.operations(), options.threads,
      options.threads == 1 ? "" : "s", seconds, totals.resizes.load(),
      static_cast<double>(totals.allocated_bytes.load()) / kMebibyte);
}

}  // namespace

int run_once(const LoadOptions& options) {
  std::unique_ptr<std::FILE, CloseFile> truth;
  if (!options.truth_path.empty()) {
    truth.reset(std::fopen(options.truth_path.c_str(), "we"));
    if (truth == nullptr) {
      fmt::print(stderr, "target: cannot write --truth {}: {}\n", options.truth_path,
                 std::strerror(errno));
      return 1;
    }
  }
  RunRecord record(options.threads);
  Run run(options, record, truth.get());
  if (!run.execute()) {
    fmt::print(stderr, "target: cannot write --truth {}: {}\n", options.truth_path,
               std::strerror(errno));
    return 1;
  }
  print_result(options, record);
  return 0;
}

}  // namespace mapscope
