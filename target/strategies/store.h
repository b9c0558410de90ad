// SPDX-License-Identifier: Apache-2.0
// target/strategies/store.h – one key-value store, and the ways to make it safe for many threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "target/map/hash_map.h"
#include "target/truth/growth_log.h"

namespace mapscope {

enum class Strategy {
  kPlain,        // one HashMap, unprotected: correct for one thread, fatal for more
  kMutex,        // one lock around everything
  kSharedMutex,  // readers share the lock
  kSharded,      // 32 maps, each with its lock, chosen by key
  kSyncMap,      // a read-only map behind an atomic pointer and a locked one for new keys (Go's
                 // sync.Map until 1.23)
  kCopyOnWrite,  // readers use an immutable map, every write makes a new one
};

struct StrategyName {
  Strategy strategy;
  std::string_view name;
};
constexpr std::array<StrategyName, 6> kStrategies = {{
    {Strategy::kPlain, "plain"},
    {Strategy::kMutex, "mutex"},
    {Strategy::kSharedMutex, "shared_mutex"},
    {Strategy::kSharded, "sharded"},
    {Strategy::kSyncMap, "sync_map"},
    {Strategy::kCopyOnWrite, "copy_on_write"},
}};

[[nodiscard]] constexpr std::string_view name_of(Strategy strategy) {
  for (const StrategyName& entry : kStrategies) {
    if (entry.strategy == strategy) return entry.name;
  }
  return "";
}

// Threads: any, except for Strategy::kPlain. Values are below 2^64 - 2 (sync_map marks deleted
// entries with the rest).
class Store {
 public:
  virtual ~Store() = default;
  // Adds the key or replaces its value; true when the key is new.
  virtual bool put(uint64_t key, uint64_t value) = 0;
  [[nodiscard]] virtual std::optional<uint64_t> get(uint64_t key) = 0;
  // True when the key was there.
  virtual bool erase(uint64_t key) = 0;
};

// log, when given, also observes the maps and is told who waited for a lock; it must outlive the
// store.
[[nodiscard]] std::unique_ptr<Store> make_store(Strategy strategy, const HashMapOptions& options,
                                                GrowthLog* log);

}  // namespace mapscope
