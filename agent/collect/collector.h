// SPDX-License-Identifier: Apache-2.0
// agent/collect/collector.h – empties the ring on a thread of its own and hands on checked records.
//
// In: the ring map; producers do not wake the reader, so it looks every 50 ms, and at once when a
// quarter is full or a fatal or exit came.
// Out: a Batch: records of bpf/wire.h one behind the other, each of the size that its type has, in
// ring order.
// Errors: a record of an unknown type or a wrong size is counted and skipped. When the reader of
// batches falls behind by more than `queue_bytes`, records are dropped and counted by type: memory
// stays bounded.
// Threads: take() and the counters from any one other thread. Destruction stops the thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "agent/base/libbpf_ptr.h"
#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "bpf/wire.h"

namespace mapscope {

inline constexpr size_t kRecordTypes = MS_RECORD_RACE + 1;

// Bytes of a record of this type; 0 for a type that does not exist.
size_t record_size(uint32_t type);

class Batch {
 public:
  void append(const void* record, size_t bytes);
  // After a burst the memory is given back.
  void clear() {
    if (words_.capacity() > kKeptWords) words_ = {};
    words_.clear();
  }
  [[nodiscard]] size_t bytes() const { return words_.size() * sizeof(uint64_t); }

  // Calls visit(header) for each; the visitor casts by header.type.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (size_t at = 0; at < words_.size();) {
      const auto& header = *reinterpret_cast<const ms_record_header*>(&words_[at]);
      visit(header);
      at += record_size(header.type) / sizeof(uint64_t);
    }
  }

 private:
  static constexpr size_t kKeptWords = 1U << 19U;  // 4 MiB

  std::vector<uint64_t> words_;  // every record is a whole number of words
};

class Collector {
 public:
  using Counts =
      std::array<uint64_t, kRecordTypes>;  // by ms_record_type; [0]: records that were refused

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

  [[nodiscard]] Counts accepted() const;
  [[nodiscard]] Counts overflowed() const;
  [[nodiscard]] double ring_fill_ratio() const;

 private:
  explicit Collector(size_t queue_bytes) : queue_bytes_(queue_bytes) {}
  static int on_record(void* self, void* data, size_t bytes);
  void accept(const void* data, size_t bytes);
  Status watch_ring(int ring_fd);
  void consume();
  void run();

  const size_t queue_bytes_;
  UniqueFd ready_;
  UniqueFd wakeups_;
  RingBufferPtr ring_;
  std::mutex ring_mutex_;  // one reader of the ring at a time
  mutable std::mutex queue_mutex_;
  Batch queue_;
  Counts accepted_{};
  Counts overflowed_{};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace mapscope
