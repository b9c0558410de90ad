// SPDX-License-Identifier: Apache-2.0
#include "target/strategies/copy_on_write.h"

#if defined(__SANITIZE_THREAD__)
// In libstdc++ 12, std::atomic<std::shared_ptr>::load() releases its internal lock with
// memory_order_relaxed, which ThreadSanitizer reports (google/sanitizers issue 1558).
// On x86 that unlock is a full barrier.
extern "C" const char* __tsan_default_suppressions();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "race:std::_Sp_atomic\n";
}
#endif

namespace mapscope {

CopyOnWriteStore::CopyOnWriteStore(const HashMapOptions& options) : options_(options) {
  options_.growth = GrowthMode::kStopTheWorld;
  current_.store(std::make_shared<const HashMap>(options_));
}

std::shared_ptr<HashMap> CopyOnWriteStore::copy() const {
  const std::shared_ptr<const HashMap> current = current_.load();
  HashMapOptions options = options_;
  options.expected_entries = current->size();
  auto copy = std::make_shared<HashMap>(options);
  HashMap::Iterator entry(*current);
  while (entry.next()) copy->insert(entry.key(), entry.value());
  return copy;
}

bool CopyOnWriteStore::put(uint64_t key, uint64_t value) {
  const std::lock_guard lock(writers_);
  const std::shared_ptr<HashMap> next = copy();
  const bool is_new = next->insert(key, value);
  current_.store(next);
  return is_new;
}

std::optional<uint64_t> CopyOnWriteStore::get(uint64_t key) { return current_.load()->find(key); }

bool CopyOnWriteStore::erase(uint64_t key) {
  const std::lock_guard lock(writers_);
  if (!current_.load()->find(key)) return false;
  const std::shared_ptr<HashMap> next = copy();
  next->erase(key);
  current_.store(next);
  return true;
}

}  // namespace mapscope
