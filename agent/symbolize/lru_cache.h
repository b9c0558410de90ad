// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/lru_cache.h – a map of bounded size that forgets what was not asked for longest.
//
// Pointers to values are valid until the next insert() or clear(). Threads: one at a time.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

namespace mapscope {

template <typename Key, typename Value>
class LruCache {
 public:
  // REQUIRES: capacity > 0.
  explicit LruCache(size_t capacity) : capacity_(capacity) {}

  // nullptr when absent; otherwise the entry becomes the most recently used.
  const Value* find(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  // REQUIRES: the key is absent.
  const Value& insert(const Key& key, Value value) {
    if (entries_.size() >= capacity_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, std::move(value));
    index_.emplace(key, entries_.begin());
    return entries_.front().second;
  }

  void clear() {
    index_.clear();
    entries_.clear();
  }

  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;

  size_t capacity_;
  Entries entries_;  // most recently used first
  std::unordered_map<Key, typename Entries::iterator> index_;
};

}  // namespace mapscope
