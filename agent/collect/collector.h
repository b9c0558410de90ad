// SPDX-License-Identifier: Apache-2.0
// agent/collect/collector.h – empties the ring on a thread of its own and hands on checked records.
//
// In: the ring map; producers do not wake the reader, so it looks every 100 ms, and at once when a
// quarter is full or a fatal or exit came.
// Out: batches of checked records, what is lost, and when: record_queue.h.
// Threads: take() and the counters from any one other thread. Destruction stops the thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "agent/base/libbpf_ptr.h"
#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/collect/record_queue.h"

namespace mapscope {

class Collector {
 public:
  using Counts = RecordQueue::Counts;

  static Result<std::unique_ptr<Collector>> start(int ring_fd, size_t queue_bytes = 64U << 20U);

  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  ~Collector();

  // Readable when there is something to take.
  [[nodiscard]] int ready_fd() const { return ready_.get(); }
  // Swaps what has come into `batch`, whose old content is forgotten. False when nothing has.
  bool take(Batch& batch);
  // Reads the ring once more now; what it held before the call is taken by the next take().
  void drain();

  [[nodiscard]] Counts accepted() const { return queue_.accepted(); }
  [[nodiscard]] Counts overflowed() const { return queue_.overflowed(); }
  [[nodiscard]] double ring_fill_ratio() const;

 private:
  explicit Collector(size_t queue_bytes) : queue_(queue_bytes) {}
  static int on_record(void* self, void* data, size_t bytes);
  Status watch_ring(int ring_fd);
  void consume();
  void run();

  RecordQueue queue_;
  UniqueFd ready_;
  UniqueFd wakeups_;
  RingBufferPtr ring_;
  std::mutex ring_mutex_;  // one reader of the ring at a time
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace mapscope
