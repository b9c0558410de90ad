// SPDX-License-Identifier: Apache-2.0
#include "target/strategies/store.h"

#include "target/strategies/copy_on_write.h"
#include "target/strategies/locked.h"
#include "target/strategies/sync_map.h"

namespace mapscope {
namespace {

class PlainStore final : public Store {
 public:
  explicit PlainStore(const HashMapOptions& options) : map_(options) {}
  bool put(uint64_t key, uint64_t value) override { return map_.insert(key, value); }
  std::optional<uint64_t> get(uint64_t key) override { return map_.find(key); }
  bool erase(uint64_t key) override { return map_.erase(key); }

 private:
  HashMap map_;
};

}  // namespace

std::unique_ptr<Store> make_store(Strategy strategy, const HashMapOptions& options,
                                  GrowthLog* log) {
  HashMapOptions observed = options;
  observed.observer = log;
  switch (strategy) {
    case Strategy::kPlain:
      return std::make_unique<PlainStore>(observed);
    case Strategy::kMutex:
      return std::make_unique<MutexStore>(observed, log);
    case Strategy::kSharedMutex:
      return std::make_unique<SharedMutexStore>(observed, log);
    case Strategy::kSharded:
      return std::make_unique<ShardedStore>(observed, log);
    case Strategy::kSyncMap:
      return std::make_unique<SyncMap>(observed);
    case Strategy::kCopyOnWrite:
      return std::make_unique<CopyOnWriteStore>(observed);
  }
  return nullptr;
}

}  // namespace mapscope
