// SPDX-License-Identifier: Apache-2.0
// target/strategies/locked.h – stores that put a lock around a HashMap: one for all, one readers
// share, or one per shard.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "target/map/clock.h"
#include "target/strategies/store.h"

namespace mapscope {

// ReadLock is std::unique_lock or std::shared_lock of Mutex.
template <typename Mutex, typename ReadLock>
class LockedStore final : public Store {
 public:
  using WriteLock = std::unique_lock<Mutex>;

  LockedStore(const HashMapOptions& options, GrowthLog* log) : log_(log), map_(options) {}

  bool put(uint64_t key, uint64_t value) override {
    const auto lock = acquire<WriteLock>();
    return map_.insert(key, value);
  }
  std::optional<uint64_t> get(uint64_t key) override {
    const auto lock = acquire<ReadLock>();
    return map_.find(key);
  }
  bool erase(uint64_t key) override {
    const auto lock = acquire<WriteLock>();
    return map_.erase(key);
  }

 private:
  // The clock is read only by those who wait.
  template <typename Lock>
  Lock acquire() {
    Lock lock(mutex_, std::try_to_lock);
    if (lock.owns_lock()) return lock;
    const uint64_t from_ns = monotonic_ns();
    lock.lock();
    if (log_ != nullptr) log_->waited(map_, from_ns, monotonic_ns());
    return lock;
  }

  GrowthLog* log_;
  Mutex mutex_;
  HashMap map_;
};

using MutexStore = LockedStore<std::mutex, std::unique_lock<std::mutex>>;
using SharedMutexStore = LockedStore<std::shared_mutex, std::shared_lock<std::shared_mutex>>;

class ShardedStore final : public Store {
 public:
  ShardedStore(const HashMapOptions& options, GrowthLog* log) {
    for (auto& shard : shards_) shard = std::make_unique<MutexStore>(options, log);
  }

  bool put(uint64_t key, uint64_t value) override { return shard_of(key).put(key, value); }
  std::optional<uint64_t> get(uint64_t key) override { return shard_of(key).get(key); }
  bool erase(uint64_t key) override { return shard_of(key).erase(key); }

 private:
  static constexpr unsigned kShardsLog2 = 5;

  // Fibonacci hashing: the top bits of the product depend on all bits of the key.
  MutexStore& shard_of(uint64_t key) {
    return *shards_[(key * 0x9e3779b97f4a7c15) >> (64 - kShardsLog2)];
  }

  std::array<std::unique_ptr<MutexStore>, 1 << kShardsLog2> shards_;
};

}  // namespace mapscope
