// SPDX-License-Identifier: Apache-2.0
// agent/collect/record_queue.h – checks what comes out of the ring, and holds it until it is taken.
//
// In: any bytes that claim to be a record of bpf/wire.h.
// Out: a Batch: records one behind the other, each of the size that its type has, in ring order.
// Errors: a record of an unknown type or a wrong size is counted and skipped. When the reader of
// batches falls behind by more than `queue_bytes`, records are dropped and counted by type: memory
// stays bounded.
// Threads: one accepts, one other takes; the counters from any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

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

class RecordQueue {
 public:
  using Counts =
      std::array<uint64_t, kRecordTypes>;  // by ms_record_type; [0]: records that were refused

  explicit RecordQueue(size_t queue_bytes) : queue_bytes_(queue_bytes) {}

  void accept(const void* data, size_t bytes);
  // Swaps what has come into `batch`, whose old content is forgotten. False when nothing has.
  bool take(Batch& batch);

  [[nodiscard]] Counts accepted() const;
  [[nodiscard]] Counts overflowed() const;

 private:
  const size_t queue_bytes_;
  mutable std::mutex mutex_;  // guards what follows
  Batch queue_;
  Counts accepted_{};
  Counts overflowed_{};
};

}  // namespace mapscope
