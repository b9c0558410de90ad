// SPDX-License-Identifier: Apache-2.0
#include "target/map/hash_map.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <utility>

#include "target/map/bucket_table.h"
#include "target/map/clock.h"

namespace mapscope {
namespace {

constexpr char kTypeName[] = "mapscope::HashMap";
constexpr uint64_t kMaxMarkSteps =
    1024;  // bounds what one write pays for skipping evacuated buckets

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// One system call per thread, not per map.
uint64_t random_seed() {
  thread_local uint64_t state = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  return mix(state += 0x9e3779b97f4a7c15);
}

uint8_t tophash_of(uint64_t hash) {
  const auto top = static_cast<uint8_t>(hash >> 56);
  return top < kMinTopHash ? static_cast<uint8_t>(top + kMinTopHash) : top;
}

bool over_load_factor(uint64_t entries, uint64_t buckets) {
  return entries > kSlotsPerBucket && entries > 13 * (buckets / 2);
}

uint64_t buckets_for(uint64_t entries) {
  uint64_t buckets = 1;
  while (over_load_factor(entries, buckets)) buckets *= 2;
  return buckets;
}

struct Position {
  Bucket* bucket = nullptr;
  unsigned slot = 0;
};

Position find_in_chain(Bucket* bucket, uint64_t key, uint8_t tophash) {
  for (; bucket != nullptr; bucket = bucket->next()) {
    for (unsigned slot = 0; slot < kSlotsPerBucket; ++slot) {
      if (bucket->tophash[slot] == tophash && bucket->keys[slot] == key) return {bucket, slot};
      if (bucket->tophash[slot] == kEmptyRest) return {};
    }
  }
  return {};
}

// The first empty slot, or slot == kSlotsPerBucket of the chain's last bucket.
Position free_in_chain(Bucket* bucket) {
  for (;;) {
    for (unsigned slot = 0; slot < kSlotsPerBucket; ++slot) {
      if (is_empty(bucket->tophash[slot])) return {bucket, slot};
    }
    Bucket* next = bucket->next();
    if (next == nullptr) return {bucket, kSlotsPerBucket};
    bucket = next;
  }
}

void store(Position at, uint64_t key, uint64_t value, uint8_t tophash) {
  at.bucket->keys[at.slot] = key;
  at.bucket->values[at.slot] = value;
  at.bucket->tophash[at.slot] = tophash;
}

// The last slot of a chain that is emptied makes the empty ones before it "rest" as well, so that
// searches stop early.
void mark_empty(Bucket* head, Position at) {
  at.bucket->tophash[at.slot] = kEmptyOne;
  const Bucket* following = at.bucket->next();
  const bool last = at.slot + 1 < kSlotsPerBucket
                        ? at.bucket->tophash[at.slot + 1] == kEmptyRest
                        : following == nullptr || following->tophash[0] == kEmptyRest;
  if (!last) return;
  for (;;) {
    at.bucket->tophash[at.slot] = kEmptyRest;
    if (at.slot == 0) {
      if (at.bucket == head) return;
      Bucket* before = head;
      while (before != nullptr && before->next() != at.bucket) before = before->next();
      if (before == nullptr) return;  // only when another thread writes, which will be fatal
      at = {before, kSlotsPerBucket};
    }
    --at.slot;
    if (at.bucket->tophash[at.slot] != kEmptyOne) return;
  }
}

}  // namespace

// A write in progress. Checks at both ends as Go does; the flag says who writes, so that of two
// writers that both passed the first check, one fails the second. Plain loads and stores: the
// fences bind the compiler only.
class HashMap::Writing {
 public:
  explicit Writing(HashMap& map) : map_(map) {
    if (map.writer_.load(std::memory_order_relaxed) != nullptr) map.die("concurrent map writes");
    map.writer_.store(this, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~Writing() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (map_.writer_.load(std::memory_order_relaxed) != this) map_.die("concurrent map writes");
    map_.writer_.store(nullptr, std::memory_order_relaxed);
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

 private:
  HashMap& map_;
};

HashMap::HashMap(const HashMapOptions& options)
    : options_(options), seed_(options.seed ? *options.seed : random_seed()) {
  table_.store(new_table(buckets_for(options.expected_entries)), std::memory_order_release);
}

HashMap::~HashMap() {
  delete table()->previous();
  delete table();
  while (retired_ != nullptr) delete std::exchange(retired_, retired_->next_retired);
}

uint64_t HashMap::hash_of(uint64_t key) const { return mix(key ^ seed_); }

uint64_t HashMap::slots() const { return table()->count() * kSlotsPerBucket; }

uint64_t HashMap::overflow_buckets() const { return table()->overflow_buckets(); }

bool HashMap::growing() const { return table()->previous() != nullptr; }

std::optional<uint64_t> HashMap::find(uint64_t key) const {
  if (writer_.load(std::memory_order_relaxed) != nullptr) die("concurrent map read and map write");
  return look_up(key);
}

std::optional<uint64_t> HashMap::look_up(uint64_t key) const {
  const uint64_t hash = hash_of(key);
  const BucketTable& table = *this->table();
  Bucket* chain = table.bucket(hash);
  if (const BucketTable* old = table.previous(); old != nullptr) {
    if (Bucket* old_chain = old->bucket(hash); !old_chain->evacuated()) chain = old_chain;
  }
  const Position at = find_in_chain(chain, key, tophash_of(hash));
  if (at.bucket == nullptr) return std::nullopt;
  return at.bucket->values[at.slot];
}

bool HashMap::erase(uint64_t key) {
  const Writing writing(*this);
  const uint64_t hash = hash_of(key);
  BucketTable& table = *this->table();
  if (table.previous() != nullptr) grow_work(table, hash);
  Bucket* chain = table.bucket(hash);
  const Position at = find_in_chain(chain, key, tophash_of(hash));
  if (at.bucket == nullptr) return false;
  mark_empty(chain, at);
  size_.store(size() - 1, std::memory_order_relaxed);
  return true;
}

void HashMap::clear() {
  const Writing writing(*this);
  const bool nobody_iterates = iterators_.load(std::memory_order_relaxed) == 0;
  BucketTable& table = *this->table();
  if (BucketTable* old = table.previous(); old != nullptr) {
    old->reset(nobody_iterates);  // an iterator in the old table must find nothing there
    mapscope_map_finish_growth(this);
  }
  table.reset(nobody_iterates);
  size_.store(0, std::memory_order_relaxed);
}

bool HashMap::assign(uint64_t key, uint64_t value) {
  const uint64_t hash = hash_of(key);
  const uint8_t tophash = tophash_of(hash);
  for (;;) {
    BucketTable& table = *this->table();
    if (table.previous() != nullptr) grow_work(table, hash);
    Bucket* chain = table.bucket(hash);
    if (const Position at = find_in_chain(chain, key, tophash); at.bucket != nullptr) {
      at.bucket->values[at.slot] = value;
      return false;
    }
    if (table.previous() == nullptr) {
      const bool overloaded = over_load_factor(size() + 1, table.count());
      if (overloaded || table.overflow_buckets() >= table.count()) {
        start_growth(table, overloaded ? MAPSCOPE_TRIGGER_LOAD : MAPSCOPE_TRIGGER_OVERFLOW);
        continue;
      }
    }
    Position at = free_in_chain(chain);
    if (at.slot == kSlotsPerBucket) at = {new_overflow(table, *at.bucket), 0};
    store(at, key, value, tophash);
    size_.store(size() + 1, std::memory_order_relaxed);
    return true;
  }
}

BucketTable* HashMap::new_table(uint64_t count) {
  auto table = std::make_unique<BucketTable>(count);
  if (options_.observer != nullptr) options_.observer->allocated(BucketTable::size_bytes(count));
  return table.release();
}

Bucket* HashMap::new_overflow(BucketTable& table, Bucket& tail) {
  uint64_t added_bytes = 0;
  Bucket* bucket = table.extend(tail, added_bytes);
  if (options_.observer != nullptr && added_bytes != 0) options_.observer->allocated(added_bytes);
  return bucket;
}

void HashMap::start_growth(const BucketTable& old, uint32_t trigger) {
  const bool doubles = trigger == MAPSCOPE_TRIGGER_LOAD;
  const uint64_t count = doubles ? 2 * old.count() : old.count();
  const mapscope_growth growth = {
      .old_slots = old.count() * kSlotsPerBucket,
      .new_slots = count * kSlotsPerBucket,
      .entries = size(),
      .new_bytes = BucketTable::size_bytes(count),
      .kind = doubles ? MAPSCOPE_KIND_GROW : MAPSCOPE_KIND_SAME_SIZE,
      .trigger = trigger,
      .type = kTypeName,
  };
  GrowthTimes* times =
      options_.observer != nullptr ? options_.observer->growth_begins(*this, growth) : nullptr;
  times_ = times;
  if (times == nullptr) return mapscope_map_grow(this, &growth);
  const uint64_t begin_ns = monotonic_ns();
  times->begin_ns.store(begin_ns, std::memory_order_release);
  mapscope_map_grow(this, &growth);
  times->stall_ns.store(monotonic_ns() - begin_ns, std::memory_order_relaxed);
}

// First the bucket about to be written, so that a write never lands in a chain still to be moved;
// then the next in order, so that growth ends after at most as many writes as there were buckets.
void HashMap::grow_work(BucketTable& table, uint64_t hash) {
  const BucketTable* old = table.previous();
  if (old == nullptr) return;
  mapscope_map_evacuate(this, hash & old->mask());
  if (table.previous() != nullptr) {
    mapscope_map_evacuate(this, table.evacuated_prefix.load(std::memory_order_relaxed));
  }
}

void HashMap::evacuate(BucketTable& table, uint64_t old_bucket) {
  const BucketTable* old = table.previous();
  if (old == nullptr) return;
  if (!old->bucket(old_bucket)->evacuated()) move_bucket(table, *old, old_bucket);
  uint64_t mark = table.evacuated_prefix.load(std::memory_order_relaxed);
  if (old_bucket != mark) return;
  const uint64_t stop = std::min(mark + 1 + kMaxMarkSteps, old->count());
  do ++mark;
  while (mark < stop && old->bucket(mark)->evacuated());
  table.evacuated_prefix.store(mark, std::memory_order_relaxed);
  if (mark >= old->count()) mapscope_map_finish_growth(this);
}

void HashMap::move_bucket(BucketTable& table, const BucketTable& old, uint64_t old_bucket) {
  const uint64_t high_bit = table.count() > old.count() ? old.count() : 0;
  Position targets[2] = {{table.bucket(old_bucket), 0}, {table.bucket(old_bucket + high_bit), 0}};
  for (Bucket* from = old.bucket(old_bucket); from != nullptr; from = from->next()) {
    for (unsigned slot = 0; slot < kSlotsPerBucket; ++slot) {
      const uint8_t tophash = from->tophash[slot];
      if (is_empty(tophash)) {
        from->tophash[slot] = kEvacuatedEmpty;
        continue;
      }
      const bool high = (hash_of(from->keys[slot]) & high_bit) != 0;
      from->tophash[slot] = high ? kEvacuatedHigh : kEvacuatedLow;
      Position& to = targets[high ? 1 : 0];
      if (to.slot == kSlotsPerBucket) to = {new_overflow(table, *to.bucket), 0};
      store(to, from->keys[slot], from->values[slot], tophash);
      ++to.slot;
    }
  }
}

// Iterators may stand in retired tables, so none is reused while there are any.
BucketTable* HashMap::take_retired(uint64_t count) {
  if (iterators_.load(std::memory_order_relaxed) != 0) return nullptr;
  for (BucketTable** link = &retired_; *link != nullptr; link = &(*link)->next_retired) {
    if ((*link)->count() != count) continue;
    BucketTable* table = std::exchange(*link, (*link)->next_retired);
    table->reset(true);
    return table;
  }
  return nullptr;
}

MAPSCOPE_IMPLEMENTATION bool HashMap::insert_here(HashMap* map, uint64_t key, uint64_t value) {
  const Writing writing(*map);
  return map->assign(key, value);
}

MAPSCOPE_IMPLEMENTATION void HashMap::grow_here(HashMap* map, const mapscope_growth* growth) {
  BucketTable* old = map->table();
  const bool doubles = growth->kind == MAPSCOPE_KIND_GROW;
  BucketTable* table = doubles ? nullptr : map->take_retired(old->count());
  if (table == nullptr) table = map->new_table(doubles ? 2 * old->count() : old->count());
  table->set_previous(old);
  map->table_.store(table, std::memory_order_release);
  if (const uint64_t sleep_ns = map->options_.sleep_in_grow_ns; sleep_ns != 0) {
    timespec left = {static_cast<time_t>(sleep_ns / 1'000'000'000),
                     static_cast<long>(sleep_ns % 1'000'000'000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) continue;
  }
  if (map->options_.growth == GrowthMode::kIncremental) return;
  for (uint64_t bucket = 0; bucket < old->count(); ++bucket) map->evacuate(*table, bucket);
}

MAPSCOPE_IMPLEMENTATION void HashMap::evacuate_here(HashMap* map, uint64_t old_bucket) {
  map->evacuate(*map->table(), old_bucket);
}

MAPSCOPE_IMPLEMENTATION void HashMap::finish_here(HashMap* map) {
  if (map->times_ != nullptr) {
    map->times_->end_ns.store(monotonic_ns(), std::memory_order_relaxed);
  }
  BucketTable* old = map->table()->take_previous();
  if (old == nullptr) return;  // only when another thread writes, which will be fatal
  old->next_retired = map->retired_;
  map->retired_ = old;
}

MAPSCOPE_IMPLEMENTATION void HashMap::fatal_here(const HashMap* map, const char* message) {
  static std::atomic_flag dying;
  while (dying.test_and_set()) pause();  // another thread is about to end the process
  char prefix[] = "fatal error: ";
  char newline[] = "\n";
  const iovec line[] = {{prefix, sizeof(prefix) - 1},
                        {const_cast<char*>(message), std::strlen(message)},
                        {newline, 1}};
  [[maybe_unused]] const ssize_t written = writev(STDERR_FILENO, line, 3);
  if (map->options_.observer != nullptr) map->options_.observer->map_dies(message);
  _exit(2);
}

}  // namespace mapscope

MAPSCOPE_ENTRY(mapscope_map_insert, mapscope_map_insert_body);
MAPSCOPE_SPAN(mapscope_map_grow, mapscope_map_grow_body);
MAPSCOPE_ENTRY(mapscope_map_evacuate, mapscope_map_evacuate_body);
MAPSCOPE_ENTRY(mapscope_map_finish_growth, mapscope_map_finish_growth_body);
MAPSCOPE_ENTRY(mapscope_map_fatal, mapscope_map_fatal_body);
