// SPDX-License-Identifier: Apache-2.0
#include "target/load/run_record.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

namespace mapscope {
namespace {

constexpr size_t kWorkersOffset = 256;
static_assert(sizeof(RunTotals) <= kWorkersOffset && kWorkersOffset % alignof(WorkerRecord) == 0);

}  // namespace

RunRecord::RunRecord(unsigned threads)
    : bytes_(kWorkersOffset + threads * sizeof(WorkerRecord)),
      memory_(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
  if (memory_ == MAP_FAILED) {
    std::perror("target: cannot map memory for measurements");
    std::abort();
  }
  // Zero pages are valid objects of both types, and stay untouched until a worker needs them.
  totals_ = static_cast<RunTotals*>(memory_);
  workers_ = {reinterpret_cast<WorkerRecord*>(static_cast<char*>(memory_) + kWorkersOffset),
              threads};
}

RunRecord::~RunRecord() { munmap(memory_, bytes_); }

double RunRecord::seconds(uint64_t now_ns) const {
  const uint64_t start_ns = totals_->start_ns.load();
  const uint64_t end_ns = totals_->end_ns.load();
  if (start_ns == 0) return 0;
  return static_cast<double>((end_ns != 0 ? end_ns : now_ns) - start_ns) * 1e-9;
}

uint64_t RunRecord::operations() const {
  uint64_t total = 0;
  for (const WorkerRecord& worker : workers_) total += worker.operations.load();
  return total;
}

uint64_t RunRecord::inserts() const {
  uint64_t total = 0;
  for (const WorkerRecord& worker : workers_) total += worker.inserts.load();
  return total;
}

}  // namespace mapscope
