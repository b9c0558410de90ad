// SPDX-License-Identifier: Apache-2.0
// target/strategies/copy_on_write.h – readers take the current immutable map; every write copies
// it: O(entries) each.
//
// Copies grow at once whatever the options say: nobody writes to them later, so an incremental
// growth would never end.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "target/strategies/store.h"

namespace mapscope {

class CopyOnWriteStore final : public Store {
 public:
  explicit CopyOnWriteStore(const HashMapOptions& options);

  bool put(uint64_t key, uint64_t value) override;
  std::optional<uint64_t> get(uint64_t key) override;
  bool erase(uint64_t key) override;

 private:
  [[nodiscard]] std::shared_ptr<HashMap> copy() const;

  HashMapOptions options_;
  std::mutex writers_;
  std::atomic<std::shared_ptr<const HashMap>> current_;
};

}  // namespace mapscope
