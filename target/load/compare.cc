// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "target/load/child.h"
#include "target/load/modes.h"
#include "target/map/clock.h"

namespace mapscope {
namespace {

struct Row {
  Strategy strategy;
  double seconds;
  uint64_t operations;
  uint64_t inserts;
  uint64_t p50_ns, p99_ns, p999_ns, max_ns;
  uint64_t resizes;
  double resizing_share;  // of the time of the run
  uint64_t allocated_bytes;
  std::string fatal;  // the message, or how the process died; empty: it lived
};

Row row_of(Strategy strategy, RunRecord& record, int status, uint64_t now_ns) {
  const RunTotals& totals = record.totals();
  LatencyHistogram inserts{};
  for (const WorkerRecord& worker : record.workers()) inserts.merge(worker.insert_latency);
  const double seconds = record.seconds(now_ns);
  std::string fatal = totals.message.data();
  if (WIFSIGNALED(status)) fatal = strsignal(WTERMSIG(status));
  return {
      .strategy = strategy,
      .seconds = seconds,
      .operations = record.operations(),
      .inserts = record.inserts(),
      .p50_ns = inserts.percentile_ns(0.5),
      .p99_ns = inserts.percentile_ns(0.99),
      .p999_ns = inserts.percentile_ns(0.999),
      .max_ns = inserts.max_ns(),
      .resizes = totals.resizes,
      .resizing_share = seconds > 0 ? static_cast<double>(totals.resizing_ns) * 1e-9 / seconds : 0,
      .allocated_bytes = totals.allocated_bytes,
      .fatal = fatal};
}

std::string human_ns(uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (ns < 1'000) return fmt::format("{} ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.1f} us", value * 1e-3);
  if (ns < 1'000'000'000) return fmt::format("{:.1f} ms", value * 1e-6);
  return fmt::format("{:.2f} s", value * 1e-9);
}

void print_json(const LoadOptions& options, const std::vector<Row>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : rows) {
    nlohmann::json entry = {{"strategy", name_of(row.strategy)},
                            {"seconds", row.seconds},
                            {"operations", row.operations},
                            {"inserts", row.inserts},
                            {"insert_p50_ns", row.p50_ns},
                            {"insert_p99_ns", row.p99_ns},
                            {"insert_p999_ns", row.p999_ns},
                            {"insert_max_ns", row.max_ns},
                            {"resizes", row.resizes},
                            {"resizing_share", row.resizing_share},
                            {"allocated_bytes", row.allocated_bytes}};
    if (!row.fatal.empty()) entry["fatal"] = row.fatal;
    list.push_back(std::move(entry));
  }
  const nlohmann::json result = {{"threads", options.threads},
                                 {"read_share", options.read_share},
                                 {"keys", options.keys},
                                 {"seconds", options.seconds},
                                 {"strategies", std::move(list)}};
  fmt::print("{}\n", result.dump());
}

void print_table(const LoadOptions& options, const std::vector<Row>& rows) {
  fmt::print("{} threads, read share {}, {} keys, {} s each; latencies are of inserts\n\n",
             options.threads, options.read_share, options.keys, options.seconds);
  fmt::print("{:<14}{:>12}{:>10}{:>10}{:>10}{:>10}{:>9}{:>10}{:>12}  {}\n", "strategy", "ops/s",
             "p50", "p99", "p99.9", "max", "resizes", "resizing", "allocated", "fatal");
  for (const Row& row : rows) {
    const double rate = row.seconds > 0 ? static_cast<double>(row.operations) / row.seconds : 0;
    fmt::print("{:<14}{:>12.0f}{:>10}{:>10}{:>10}{:>10}{:>9}{:>8.1f} %{:>8.1f} MiB  {}\n",
               name_of(row.strategy), rate, human_ns(row.p50_ns), human_ns(row.p99_ns),
               human_ns(row.p999_ns), human_ns(row.max_ns), row.resizes, row.resizing_share * 100,
               static_cast<double>(row.allocated_bytes) / (1024 * 1024),
               row.fatal.empty()
                   ? "-"
                   : row.fatal + " after " + human_ns(static_cast<uint64_t>(row.seconds * 1e9)));
  }
  fmt::print(
      "\nresizing: share of the time in which at least one map was growing. copy_on_write copies "
      "the map at every insert.\n");
}

}  // namespace

int compare(const LoadOptions& options) {
  const bool show_progress = options.seconds * kStrategies.size() > 2;
  std::vector<Row> rows;
  for (const StrategyName& entry : kStrategies) {
    if (show_progress) {
      fmt::print(stderr, "target: {} of {}: {} for {} s\n", rows.size() + 1, kStrategies.size(),
                 entry.name, options.seconds);
    }
    LoadOptions one = options;
    one.strategy = entry.strategy;
    RunRecord record(options.threads);
    const int status = run_in_child(one, record);
    if (status == -1) {
      fmt::print(stderr, "target: cannot start a child process: {}\n", std::strerror(errno));
      return 1;
    }
    rows.push_back(row_of(entry.strategy, record, status, monotonic_ns()));
  }
  options.json ? print_json(options, rows) : print_table(options, rows);
  return 0;
}

}  // namespace mapscope
