// SPDX-License-Identifier: Apache-2.0
// target/map/bucket_table.h – the memory of one generation of a HashMap: an array of buckets and
// their overflow chains.
//
// A growing map has two: the new table and, behind previous(), the one being evacuated into it.
// Everything an unsynchronised second thread could follow out of bounds is reached through one
// pointer to a BucketTable: its size never changes, its buckets and overflow blocks stay mapped
// until it is destroyed, and chains never form a cycle within one use of the table. Threads: none
// of its functions synchronise; pointers are atomics only so that a racing reader sees an old or a
// new one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace mapscope {

constexpr unsigned kSlotsPerBucket = 8;

// Values of a tophash below kMinTopHash describe a slot; all others are the top eight bits of the
// key's hash.
constexpr uint8_t kEmptyRest = 0;     // this slot and all later ones of the chain are empty
constexpr uint8_t kEmptyOne = 1;      // this slot is empty
constexpr uint8_t kEvacuatedLow = 2;  // the entry moved to the same bucket number of the new table
constexpr uint8_t kEvacuatedHigh =
    3;  // the entry moved to the bucket number plus the old bucket count
constexpr uint8_t kEvacuatedEmpty = 4;  // the slot was empty when its bucket was evacuated
constexpr uint8_t kMinTopHash = 5;

// All bytes zero is a bucket of eight empty slots without overflow; tables rely on it to take
// memory lazily.
struct Bucket {
  std::array<uint8_t, kSlotsPerBucket> tophash;
  std::array<uint64_t, kSlotsPerBucket> keys;
  std::array<uint64_t, kSlotsPerBucket> values;
  std::atomic<Bucket*> overflow;

  [[nodiscard]] Bucket* next() const { return overflow.load(std::memory_order_acquire); }
  [[nodiscard]] bool evacuated() const {
    return tophash[0] > kEmptyOne && tophash[0] < kMinTopHash;
  }
};

[[nodiscard]] inline bool is_empty(uint8_t tophash) { return tophash <= kEmptyOne; }

class BucketTable {
 public:
  // count is a power of two. Ends the process when there is no memory.
  explicit BucketTable(uint64_t count);
  ~BucketTable();
  BucketTable(const BucketTable&) = delete;
  BucketTable& operator=(const BucketTable&) = delete;

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] uint64_t mask() const { return count_ - 1; }
  [[nodiscard]] Bucket* bucket(uint64_t number) const { return &buckets_[number & mask()]; }
  [[nodiscard]] static uint64_t size_bytes(uint64_t count) { return count * sizeof(Bucket); }

  // The table being evacuated into this one, or null.
  [[nodiscard]] BucketTable* previous() const { return previous_.load(std::memory_order_acquire); }
  void set_previous(BucketTable* table) { previous_.store(table, std::memory_order_release); }
  // To one caller only, also of several racing ones.
  [[nodiscard]] BucketTable* take_previous() { return previous_.exchange(nullptr); }

  // Appends an empty overflow bucket to the chain that ends at tail. added_bytes is 0 when one was
  // reused.
  Bucket* extend(Bucket& tail, uint64_t& added_bytes);
  [[nodiscard]] uint64_t overflow_buckets() const {
    return overflow_.load(std::memory_order_relaxed);
  }

  // Empties all buckets. reuse_overflow: nobody stands in an overflow bucket, so they can be handed
  // out again.
  void reset(bool reuse_overflow);

  // The number of buckets of previous() that are evacuated from 0 on without a gap.
  std::atomic<uint64_t> evacuated_prefix{0};
  BucketTable* next_retired = nullptr;

 private:
  struct Block {  // one overflow bucket; never freed before the table
    Bucket bucket;
    Block* next;
  };

  const uint64_t count_;
  Bucket* const buckets_;
  std::atomic<BucketTable*> previous_{nullptr};
  std::atomic<uint64_t> overflow_{0};
  Block* blocks_ = nullptr;  // in order of allocation; those before unused_ are part of a chain
  Block* last_block_ = nullptr;
  Block* unused_ = nullptr;
};

}  // namespace mapscope
