// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/stack_table.h – every stack that was resolved, once.
//
// A stack is recognised by its return addresses, so that a repeated one costs a look-up and no
// symbols. Bounded by count and by bytes; what does not fit any more is refused and counted, never
// evicted: resizes hold on to the pointers. Owns: the stacks; they stay where they are until their
// target is forgotten. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "agent/model/resize.h"

namespace mapscope {

// Equal keys mean equal stacks.
struct StackKey {
  uint32_t target = 0;
  uint32_t generation =
      0;  // of the target's mappings: the same address may be another function later
  std::string_view map_type;  // decides which frames are map code
  std::span<const uint64_t> addresses;
};

class StackTable {
 public:
  explicit StackTable(size_t max_stacks = 65'536, size_t max_bytes = 64U << 20);

  // nullptr when it was not inserted yet.
  [[nodiscard]] const Stack* find(const StackKey& key) const;
  // nullptr when the table is full. REQUIRES: find(key) is nullptr.
  const Stack* insert(const StackKey& key, Stack stack);

  // Frees the stacks of these targets. REQUIRES: sorted.
  void forget(std::span<const uint32_t> targets);

  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] uint64_t refused() const { return refused_; }

 private:
  struct Entry {
    uint32_t target = 0;
    uint32_t generation = 0;
    std::string map_type;
    std::vector<uint64_t> addresses;
    std::unique_ptr<const Stack> stack;
    [[nodiscard]] StackKey key() const { return {target, generation, map_type, addresses}; }
  };
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    size_t operator()(const StackKey& key) const;
    size_t operator()(const Entry& entry) const { return (*this)(entry.key()); }
  };
  struct Equal {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    bool operator()(const StackKey& a, const StackKey& b) const;
    bool operator()(const Entry& a, const StackKey& b) const { return (*this)(a.key(), b); }
    bool operator()(const StackKey& a, const Entry& b) const { return (*this)(a, b.key()); }
    bool operator()(const Entry& a, const Entry& b) const { return (*this)(a.key(), b.key()); }
  };

  size_t max_stacks_;
  size_t max_bytes_;
  size_t bytes_ = 0;
  uint64_t refused_ = 0;
  std::unordered_set<Entry, Hash, Equal> entries_;
};

}  // namespace mapscope
