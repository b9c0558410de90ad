// SPDX-License-Identifier: Apache-2.0
// target/strategies/sync_map.h – the two-map design of Go's sync.Map until 1.23, for keys written
// once and read often.
//
// `read` is an immutable map of entries behind an atomic pointer: hits need no lock, also to
// replace or delete a value, which happens inside the entry. New keys go to `dirty`, behind a
// mutex; dirty holds all of read's live entries too. Each lookup that had to try dirty is a miss;
// when there are as many misses as dirty has entries, dirty becomes read. The next new key makes a
// new dirty by copying read, which leaves out deleted entries ("expunged").
//
// Unlike Go, an entry holds its value in place, two values being reserved, and memory is freed by
// counting: a replaced read map lives as long as its readers, and frees the entries that died with
// it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "target/strategies/store.h"

namespace mapscope {

class SyncMap final : public Store {
 public:
  explicit SyncMap(const HashMapOptions& options);
  ~SyncMap() override;
  SyncMap(const SyncMap&) = delete;
  SyncMap& operator=(const SyncMap&) = delete;

  bool put(uint64_t key, uint64_t value) override;
  std::optional<uint64_t> get(uint64_t key) override;
  bool erase(uint64_t key) override;

  // How often dirty became read.
  [[nodiscard]] uint64_t promotions() const { return promotions_.load(std::memory_order_relaxed); }

 private:
  struct Entry;
  struct ReadMap;

  static Entry* entry_at(uint64_t address);
  static Entry* entry_in(const HashMap& map, uint64_t key);
  Entry* new_entry(uint64_t value);
  // All below REQUIRE mutex_.
  void make_dirty(const HashMap& read);
  void count_miss();

  const HashMapOptions options_;
  std::atomic<std::shared_ptr<ReadMap>> read_;
  std::mutex mutex_;
  std::unique_ptr<HashMap> dirty_;  // null: read has everything
  std::vector<Entry*> expunged_;    // by the latest make_dirty
  uint64_t misses_ = 0;
  std::atomic<uint64_t> promotions_{0};
};

}  // namespace mapscope
