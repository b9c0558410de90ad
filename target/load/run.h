// SPDX-License-Identifier: Apache-2.0
// target/load/run.h – one run of the load: workers on one store, from start to a signal, a deadline
// or the last insert.
#pragma once

#include <atomic>
#include <barrier>
#include <cstdio>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "target/load/options.h"
#include "target/load/run_record.h"
#include "target/strategies/store.h"
#include "target/truth/growth_log.h"

namespace mapscope {

class Run {
 public:
  // All references must outlive the run. record has one worker for each of options.threads. truth
  // may be null.
  Run(const LoadOptions& options, RunRecord& record, std::FILE* truth);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Blocks SIGINT, SIGTERM and SIGUSR1 for good: the first two end the run early. With options.wait
  // first announces itself on stdout and waits for a line on stdin; at end of input nothing is run.
  // False: the truth could not be written.
  [[nodiscard]] bool execute();

 private:
  struct StartOver {
    Run* run;
    void operator()() noexcept;
  };

  void work(unsigned worker);
  void insert_laps(unsigned worker);
  void insert_lap(unsigned worker);
  void churn(unsigned worker);
  void make_tiny_maps(unsigned worker);
  void put(WorkerRecord& record, uint64_t key);
  [[nodiscard]] bool stopped() const { return stop_.load(std::memory_order_relaxed); }

  [[nodiscard]] std::unique_ptr<Store> new_store();
  [[nodiscard]] bool wait_for_line() const;
  void wait_for_end() const;
  [[nodiscard]] bool conclude();

  const LoadOptions& options_;
  RunRecord& record_;
  std::FILE* truth_;
  const bool measure_latency_;
  const uint64_t lap_keys_;
  int signals_ = -1;  // signalfd: SIGINT, SIGTERM, and SIGUSR1 from the last worker
  GrowthLog log_;
  std::unique_ptr<Store> store_;
  std::latch go_{1};
  std::atomic<bool> stop_{false};
  std::atomic<unsigned> running_;
  std::barrier<StartOver> lap_end_;
};

}  // namespace mapscope
