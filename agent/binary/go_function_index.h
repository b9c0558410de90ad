// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_function_index.h – functions of a pclntab by their names: 8 bytes a function, no
// copy of a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/binary/go_pclntab.h"

namespace mapscope {

class GoFunctionIndex {
 public:
  // Reads every name once. A table that lets more name bytes be read than it has is left out from
  // there on.
  explicit GoFunctionIndex(const GoPclntab& table);

  // The first of that name in code order; of a wrapper for the other calling convention and what it
  // wraps, which have one name, the larger.
  [[nodiscard]] std::optional<size_t> find(const GoPclntab& table, std::string_view name) const;
  // Those that start with one of `prefixes`, in code order, at most `max_functions`. Reads every
  // name.
  static std::vector<size_t> starting_with(const GoPclntab& table,
                                           std::span<const std::string_view> prefixes,
                                           size_t max_functions);
  // Those whose names are `wanted`, in code order. Reads every name.
  static std::vector<size_t> matching(const GoPclntab& table,
                                      const std::function<bool(const std::string&)>& wanted);

 private:
  std::vector<uint64_t> entries_;  // hash of the name << 32 | index in the table; sorted
};

}  // namespace mapscope
