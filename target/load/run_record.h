// SPDX-License-Identifier: Apache-2.0
// target/load/run_record.h – what a run measured, in memory shared with the processes forked from
// here.
//
// A run in a child process may end at any instruction; whatever it has measured until then is here.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "target/load/latency_histogram.h"

namespace mapscope {

struct alignas(64) WorkerRecord {
  std::atomic<uint64_t> operations;
  std::atomic<uint64_t> inserts;
  LatencyHistogram insert_latency;  // empty unless measured
};

struct RunTotals {
  std::atomic<uint64_t> start_ns;  // CLOCK_MONOTONIC
  std::atomic<uint64_t> end_ns;    // 0: still running, or died otherwise
  std::atomic<uint64_t> fatal;     // 1: died of a misuse of the map
  std::atomic<uint64_t> resizes;
  std::atomic<uint64_t> resizing_ns;
  std::atomic<uint64_t> allocated_bytes;  // tables, overflow buckets, entries of sync_map
  std::array<char, 64> message;           // of the fatal error, NUL-terminated
};

class RunRecord {
 public:
  // Ends the process when there is no memory.
  explicit RunRecord(unsigned threads);
  ~RunRecord();
  RunRecord(const RunRecord&) = delete;
  RunRecord& operator=(const RunRecord&) = delete;

  [[nodiscard]] RunTotals& totals() { return *totals_; }
  [[nodiscard]] const RunTotals& totals() const { return *totals_; }
  [[nodiscard]] std::span<WorkerRecord> workers() { return workers_; }

  // Until end_ns, or until now_ns when the run did not end by itself.
  [[nodiscard]] double seconds(uint64_t now_ns) const;
  [[nodiscard]] uint64_t operations() const;
  [[nodiscard]] uint64_t inserts() const;

 private:
  size_t bytes_;
  void* memory_;
  RunTotals* totals_;
  std::span<WorkerRecord> workers_;
};

}  // namespace mapscope
