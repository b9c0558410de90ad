// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/map_types.h"

namespace mapscope {

const GoMapType* MapTypes::find(uint64_t address) {
  const std::lock_guard lock(mutex_);
  auto known = kept_.find(address);
  if (known == kept_.end()) {
    if (kept_.size() >= kMaxKept) return nullptr;
    known = kept_.emplace(address, program_->map_type(address - bias_)).first;
  }
  return known->second ? &*known->second : nullptr;
}

}  // namespace mapscope
