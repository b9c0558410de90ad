// SPDX-License-Identifier: Apache-2.0
// target/map/hash_map.h – a hash map that grows as Go's classic map does, and lets itself be
// watched.
//
// 64-bit keys and values in buckets of eight slots with overflow chains. Doubles when an insert
// would exceed 6.5 entries per bucket (one bucket alone holds 8); moves into a table of the same
// size when there are as many overflow buckets as buckets. Growth is incremental by default: every
// later insert or erase evacuates one or two old buckets; or it stops the world: the triggering
// insert moves everything. Lookups and iteration move nothing, so a growth stays unfinished while
// nobody writes. Go samples the number of overflow buckets from 2^16 buckets on; here it is exact,
// the rule the same.
//
// Threads: like Go's map it is not synchronised, and detects misuse: a write that overlaps another
// operation ends the process with `fatal error: concurrent map writes` (or `… read and map write`,
// `… iteration and map write`) on stderr and exit status 2. Concurrent reads are fine.
//
// Memory: tables that were grown out of are kept until the map is destroyed, so that a racing
// thread or an iterator never touches freed memory. Sizes double, so they add at most the size of
// the current table; a same-size growth takes a kept table of its size, so they add at most one
// more, and one for each same-size growth during the life of an iterator.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "target/map/mapscope_map.h"

namespace mapscope {
class BucketTable;
struct Bucket;
class HashMap;
}  // namespace mapscope

// The symbols of the contract, see target/map/mapscope_map.h. Every operation of HashMap goes
// through them.
extern "C" {
bool mapscope_map_insert(mapscope::HashMap* map, uint64_t key, uint64_t value);
void mapscope_map_grow(mapscope::HashMap* map, const mapscope_growth* growth);
void mapscope_map_evacuate(mapscope::HashMap* map, uint64_t old_bucket);
void mapscope_map_finish_growth(mapscope::HashMap* map);
[[noreturn]] void mapscope_map_fatal(const mapscope::HashMap* map, const char* message);
}

namespace mapscope {

enum class GrowthMode { kIncremental, kStopTheWorld };

// What the map itself measured of one growth, on CLOCK_MONOTONIC; 0: not yet. Read by a dying
// thread, hence atomic.
struct GrowthTimes {
  std::atomic<uint64_t> begin_ns{0};  // just before mapscope_map_grow is entered
  std::atomic<uint64_t> stall_ns{0};  // until it returned: what the triggering insert paid
  std::atomic<uint64_t> end_ns{0};    // just after mapscope_map_finish_growth was entered
};

// Told of what happens to a map, in the thread that does it. One may serve many maps and threads.
class HashMapObserver {
 public:
  virtual ~HashMapObserver() = default;
  // Before a growth. The map writes its times into the returned object, which must outlive the map.
  virtual GrowthTimes* growth_begins(const HashMap& map, const mapscope_growth& growth) = 0;
  // Memory was taken for a table or an overflow bucket.
  virtual void allocated(uint64_t bytes) = 0;
  // After the message was printed, before the process exits. Other threads may still run.
  virtual void map_dies(const char* message) = 0;
};

struct HashMapOptions {
  GrowthMode growth = GrowthMode::kIncremental;
  std::optional<uint64_t> seed = std::nullopt;  // of the hash; random for each map unless given
  uint64_t expected_entries = 0;                // that many fit without growth
  uint64_t sleep_in_grow_ns = 0;                // every growth sleeps once, for that long
  HashMapObserver* observer = nullptr;          // must outlive the map
};

class HashMap {
 public:
  explicit HashMap(const HashMapOptions& options = {});
  ~HashMap();
  HashMap(const HashMap&) = delete;
  HashMap& operator=(const HashMap&) = delete;

  // Adds the key or replaces its value; true when the key is new.
  bool insert(uint64_t key, uint64_t value) { return mapscope_map_insert(this, key, value); }
  // True when the key was there.
  bool erase(uint64_t key);
  [[nodiscard]] std::optional<uint64_t> find(uint64_t key) const;
  // Keeps the buckets; ends an unfinished growth.
  void clear();

  [[nodiscard]] uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t slots() const;
  [[nodiscard]] uint64_t overflow_buckets() const;
  [[nodiscard]] bool growing() const;
  // The latest growth's times; null before the first or without an observer.
  [[nodiscard]] const GrowthTimes* last_growth() const { return times_; }

  class Iterator;

 private:
  class Writing;

  [[nodiscard]] uint64_t hash_of(uint64_t key) const;
  [[nodiscard]] BucketTable* table() const { return table_.load(std::memory_order_acquire); }
  [[nodiscard]] std::optional<uint64_t> look_up(uint64_t key) const;
  [[noreturn]] void die(const char* message) const { mapscope_map_fatal(this, message); }

  bool assign(uint64_t key, uint64_t value);
  BucketTable* new_table(uint64_t count);
  Bucket* new_overflow(BucketTable& table, Bucket& tail);
  void start_growth(const BucketTable& old, uint32_t trigger);
  void grow_work(BucketTable& table, uint64_t hash);
  void evacuate(BucketTable& table, uint64_t old_bucket);
  void move_bucket(BucketTable& table, const BucketTable& old, uint64_t old_bucket);
  BucketTable* take_retired(uint64_t count);

  // What the symbols of the contract run.
  static bool insert_here(HashMap* map, uint64_t key,
                          uint64_t value) __asm__("mapscope_map_insert_body");
  static void grow_here(HashMap* map,
                        const mapscope_growth* growth) __asm__("mapscope_map_grow_body");
  static void evacuate_here(HashMap* map,
                            uint64_t old_bucket) __asm__("mapscope_map_evacuate_body");
  static void finish_here(HashMap* map) __asm__("mapscope_map_finish_growth_body");
  [[noreturn]] static void fatal_here(const HashMap* map,
                                      const char* message) __asm__("mapscope_map_fatal_body");

  const HashMapOptions options_;
  const uint64_t seed_;
  std::atomic<uint64_t> size_{0};
  // The operation that is writing, told from others by its address on the stack; null when none is.
  std::atomic<const Writing*> writer_{nullptr};
  std::atomic<BucketTable*> table_{nullptr};
  BucketTable* retired_ = nullptr;
  GrowthTimes* times_ = nullptr;
  mutable std::atomic<uint64_t> iterators_{0};
};

// Visits every entry that is in the map during the whole iteration exactly once, however the map
// grows meanwhile; an entry added or erased meanwhile is visited or not. REQUIRES: the map outlives
// the iterator.
//
//   HashMap::Iterator entry(map);
//   while (entry.next()) use(entry.key(), entry.value());
class HashMap::Iterator {
 public:
  explicit Iterator(const HashMap& map);
  ~Iterator();
  Iterator(const Iterator&) = delete;
  Iterator& operator=(const Iterator&) = delete;

  [[nodiscard]] bool next();
  [[nodiscard]] uint64_t key() const { return key_; }
  [[nodiscard]] uint64_t value() const { return value_; }

 private:
  [[nodiscard]] bool enter_bucket();
  [[nodiscard]] bool visit(uint8_t tophash, uint64_t key, uint64_t value);

  const HashMap& map_;
  const BucketTable& table_;        // the map's when the iteration began
  const Bucket* bucket_ = nullptr;  // where it stands; null: between two chains
  unsigned slot_ = 0;
  uint64_t next_bucket_ = 0;
  bool old_chain_ = false;  // stands in a chain of the old table, of which only a part belongs to
                            // next_bucket_ - 1
  uint64_t key_ = 0;
  uint64_t value_ = 0;
};

}  // namespace mapscope
