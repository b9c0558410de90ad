// SPDX-License-Identifier: Apache-2.0
#include "target/strategies/sync_map.h"

#include <utility>

namespace mapscope {
namespace {

constexpr uint64_t kDeleted = ~uint64_t{0};       // in read, and in dirty if there is one
constexpr uint64_t kExpunged = ~uint64_t{0} - 1;  // in read only: dirty was made without it

}  // namespace

struct SyncMap::Entry {
  std::atomic<uint64_t> value;

  [[nodiscard]] std::optional<uint64_t> load() const {
    const uint64_t current = value.load();
    if (current == kDeleted || current == kExpunged) return std::nullopt;
    return current;
  }
  // The former value; none when the entry is expunged and must be put back into dirty first.
  std::optional<uint64_t> try_swap(uint64_t next) {
    uint64_t current = value.load();
    do {
      if (current == kExpunged) return std::nullopt;
    } while (!value.compare_exchange_weak(current, next));
    return current;
  }
  bool try_delete() {
    uint64_t current = value.load();
    do {
      if (current == kDeleted || current == kExpunged) return false;
    } while (!value.compare_exchange_weak(current, kDeleted));
    return true;
  }
  bool replace(uint64_t from, uint64_t to) { return value.compare_exchange_strong(from, to); }
};

struct SyncMap::ReadMap {
  explicit ReadMap(std::unique_ptr<HashMap> entries) : map(std::move(entries)) {}
  ~ReadMap() {
    for (Entry* entry : doomed) delete entry;
  }
  ReadMap(const ReadMap&) = delete;
  ReadMap& operator=(const ReadMap&) = delete;

  const std::unique_ptr<const HashMap> map;
  std::atomic<bool> amended{false};  // dirty has keys that are not here
  std::vector<Entry*> doomed;        // entries that the successor does not have
  std::shared_ptr<ReadMap>
      successor;  // a reader of this map may still touch what dies with a later one
};

SyncMap::SyncMap(const HashMapOptions& options)
    : options_(options), read_(std::make_shared<ReadMap>(std::make_unique<HashMap>(options))) {}

SyncMap::~SyncMap() {
  const std::shared_ptr<ReadMap> read = read_.load();
  if (dirty_ != nullptr) {
    HashMap::Iterator entry(*dirty_);
    while (entry.next()) {
      if (!read->map->find(entry.key())) delete entry_at(entry.value());
    }
  }
  HashMap::Iterator entry(*read->map);
  while (entry.next()) delete entry_at(entry.value());
}

// Maps hold the address of an entry as their value; 0 is none.
SyncMap::Entry* SyncMap::entry_at(uint64_t address) {
  return reinterpret_cast<Entry*>(address);  // NOLINT(performance-no-int-to-ptr)
}

SyncMap::Entry* SyncMap::entry_in(const HashMap& map, uint64_t key) {
  return entry_at(map.find(key).value_or(0));
}

SyncMap::Entry* SyncMap::new_entry(uint64_t value) {
  if (options_.observer != nullptr) options_.observer->allocated(sizeof(Entry));
  return new Entry{value};
}

bool SyncMap::put(uint64_t key, uint64_t value) {
  std::shared_ptr<ReadMap> read = read_.load();
  if (Entry* entry = entry_in(*read->map, key); entry != nullptr) {
    if (const auto before = entry->try_swap(value)) return *before == kDeleted;
  }
  const std::lock_guard lock(mutex_);
  read = read_.load();
  if (Entry* entry = entry_in(*read->map, key); entry != nullptr) {
    if (entry->replace(kExpunged, kDeleted)) dirty_->insert(key, reinterpret_cast<uint64_t>(entry));
    return entry->value.exchange(value) == kDeleted;
  }
  if (dirty_ != nullptr) {
    if (Entry* entry = entry_in(*dirty_, key); entry != nullptr) {
      return entry->value.exchange(value) == kDeleted;
    }
  }
  if (!read->amended.load()) {
    make_dirty(*read->map);
    read->amended.store(true);
  }
  dirty_->insert(key, reinterpret_cast<uint64_t>(new_entry(value)));
  return true;
}

std::optional<uint64_t> SyncMap::get(uint64_t key) {
  std::shared_ptr<ReadMap> read = read_.load();
  Entry* entry = entry_in(*read->map, key);
  if (entry == nullptr && read->amended.load()) {
    const std::lock_guard lock(mutex_);
    read = read_.load();
    entry = entry_in(*read->map, key);
    if (entry == nullptr && read->amended.load()) {
      entry = entry_in(*dirty_, key);
      const auto value = entry != nullptr ? entry->load() : std::nullopt;
      count_miss();
      return value;
    }
  }
  return entry != nullptr ? entry->load() : std::nullopt;
}

bool SyncMap::erase(uint64_t key) {
  std::shared_ptr<ReadMap> read = read_.load();
  Entry* entry = entry_in(*read->map, key);
  if (entry == nullptr && read->amended.load()) {
    const std::lock_guard lock(mutex_);
    read = read_.load();
    entry = entry_in(*read->map, key);
    if (entry == nullptr && read->amended.load()) {
      const std::unique_ptr<Entry> gone(
          entry_in(*dirty_, key));  // in no read map: nobody else has it
      dirty_->erase(key);
      count_miss();
      return gone != nullptr && gone->load().has_value();
    }
  }
  return entry != nullptr && entry->try_delete();
}

void SyncMap::make_dirty(const HashMap& read) {
  HashMapOptions options = options_;
  options.expected_entries = read.size();
  dirty_ = std::make_unique<HashMap>(options);
  HashMap::Iterator at(read);
  while (at.next()) {
    Entry* entry = entry_at(at.value());
    if (entry->replace(kDeleted, kExpunged)) expunged_.push_back(entry);
    if (entry->value.load() != kExpunged) dirty_->insert(at.key(), at.value());
  }
}

void SyncMap::count_miss() {
  if (++misses_ < dirty_->size()) return;
  const std::shared_ptr<ReadMap> old = read_.load();
  for (Entry* entry : std::exchange(expunged_, {})) {
    if (entry->value.load() == kExpunged) old->doomed.push_back(entry);
  }
  old->successor = std::make_shared<ReadMap>(std::move(dirty_));
  read_.store(old->successor);
  misses_ = 0;
  promotions_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace mapscope
