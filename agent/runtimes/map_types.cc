// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/map_types.h"

namespace mapscope {

const GoMapType* MapTypes::find(uint64_t address) {
  if (const GoMapType* type = own_->find(address - bias_)) return type;
  return loaded_ == nullptr ? nullptr : loaded_->find_type(address).type;
}

std::optional<GoFunction> MapTypes::function_at(uint64_t address) const {
  if (auto function = own_->program().function_at(address - bias_)) return function;
  return loaded_ == nullptr ? std::nullopt : loaded_->function_at(address);
}

}  // namespace mapscope
