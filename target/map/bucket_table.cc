// SPDX-License-Identifier: Apache-2.0
#include "target/map/bucket_table.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace mapscope {
namespace {

static_assert(sizeof(Bucket) == 144 && std::is_trivially_destructible_v<Bucket>);

// calloc, not new: large tables get untouched zero pages, so growth pays for pages only as it fills
// them.
template <typename T>
T* zeroed(uint64_t count) {
  void* memory = std::calloc(count, sizeof(T));
  if (memory == nullptr) {
    std::fputs("fatal error: out of memory for a hash map\n", stderr);
    std::abort();
  }
  return static_cast<T*>(memory);
}

}  // namespace

BucketTable::BucketTable(uint64_t count) : count_(count), buckets_(zeroed<Bucket>(count)) {}

BucketTable::~BucketTable() {
  while (blocks_ != nullptr) {
    Block* next = blocks_->next;
    std::free(blocks_);
    blocks_ = next;
  }
  std::free(buckets_);
}

Bucket* BucketTable::extend(Bucket& tail, uint64_t& added_bytes) {
  Block* block = unused_;
  added_bytes = 0;
  if (block != nullptr) {
    unused_ = block->next;
  } else {
    block = zeroed<Block>(1);
    added_bytes = sizeof(Block);
    (blocks_ == nullptr ? blocks_ : last_block_->next) = block;
    last_block_ = block;
  }
  overflow_.store(overflow_buckets() + 1, std::memory_order_relaxed);
  tail.overflow.store(&block->bucket, std::memory_order_release);
  return &block->bucket;
}

void BucketTable::reset(bool reuse_overflow) {
  std::memset(static_cast<void*>(buckets_), 0, size_bytes(count_));
  for (Block* block = blocks_; block != nullptr; block = block->next) {
    std::memset(static_cast<void*>(&block->bucket), 0, sizeof(block->bucket));
  }
  if (reuse_overflow) unused_ = blocks_;
  overflow_.store(0, std::memory_order_relaxed);
  evacuated_prefix.store(0, std::memory_order_relaxed);
}

}  // namespace mapscope
