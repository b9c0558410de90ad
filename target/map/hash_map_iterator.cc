// SPDX-License-Identifier: Apache-2.0
#include "target/map/bucket_table.h"
#include "target/map/hash_map.h"

namespace mapscope {

HashMap::Iterator::Iterator(const HashMap& map) : map_(map), table_(*map.table()) {
  map_.iterators_.fetch_add(1, std::memory_order_relaxed);
}

HashMap::Iterator::~Iterator() { map_.iterators_.fetch_sub(1, std::memory_order_relaxed); }

bool HashMap::Iterator::next() {
  if (map_.writer_.load(std::memory_order_relaxed) != nullptr) {
    map_.die("concurrent map iteration and map write");
  }
  while (bucket_ != nullptr || enter_bucket()) {
    while (slot_ < kSlotsPerBucket) {
      const unsigned slot = slot_++;
      if (visit(bucket_->tophash[slot], bucket_->keys[slot], bucket_->values[slot])) return true;
    }
    bucket_ = bucket_->next();
    slot_ = 0;
  }
  return false;
}

// Of a table that was growing when the iteration began and still is, buckets not yet evacuated are
// visited where they are.
bool HashMap::Iterator::enter_bucket() {
  if (next_bucket_ == table_.count()) return false;
  bucket_ = table_.bucket(next_bucket_);
  old_chain_ = false;
  if (const BucketTable* old = table_.previous(); old != nullptr) {
    if (const Bucket* chain = old->bucket(next_bucket_); !chain->evacuated()) {
      bucket_ = chain;
      old_chain_ = true;
    }
  }
  ++next_bucket_;
  return true;
}

bool HashMap::Iterator::visit(uint8_t tophash, uint64_t key, uint64_t value) {
  if (is_empty(tophash) || tophash == kEvacuatedEmpty) return false;
  // Two buckets of the new table share an old chain: each visits its own half.
  if (old_chain_ && (map_.hash_of(key) & table_.mask()) != next_bucket_ - 1) return false;
  if (tophash < kMinTopHash) {  // moved on since: it may have changed or gone
    const std::optional<uint64_t> current = map_.look_up(key);
    if (!current) return false;
    value = *current;
  }
  key_ = key;
  value_ = value;
  return true;
}

}  // namespace mapscope
