// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/stack_table.h – the stacks that were resolved lately, each once.
//
// A stack is recognised by its return addresses, so that a repeated one costs a look-up and no
// symbols. Bounded by count and by bytes: the stack that was not asked for longest goes for a new
// one, and is counted. Texts of frames are shared by all stacks. Owns: the stacks, together with
// whoever holds one at the moment. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "agent/base/shared_text.h"
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

  // nullptr when it was not inserted yet, or is gone. It is then the one asked for last.
  [[nodiscard]] StackPtr find(const StackKey& key);
  // nullptr for a stack that is larger than all of the table. REQUIRES: find(key) is nullptr.
  StackPtr insert(const StackKey& key, Stack stack);

  // Drops the stacks of these targets. REQUIRES: sorted.
  void forget(std::span<const uint32_t> targets);

  [[nodiscard]] size_t size() const { return entries_.size(); }
  // Texts of stacks that are gone may count for a while.
  [[nodiscard]] size_t bytes() const { return bytes_ + texts_.bytes(); }
  [[nodiscard]] uint64_t refused() const { return refused_; }
  [[nodiscard]] uint64_t evicted() const { return evicted_; }

 private:
  struct Entry {
    uint32_t target = 0;
    uint32_t generation = 0;
    std::string map_type;
    std::vector<uint64_t> addresses;
    StackPtr stack;
    size_t bytes = 0;
    [[nodiscard]] StackKey key() const { return {target, generation, map_type, addresses}; }
  };
  using Entries = std::list<Entry>;
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    size_t operator()(const StackKey& key) const;
    size_t operator()(Entries::iterator entry) const { return (*this)(entry->key()); }
  };
  struct Equal {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    bool operator()(const StackKey& a, const StackKey& b) const;
    bool operator()(Entries::iterator a, const StackKey& b) const { return (*this)(a->key(), b); }
    bool operator()(const StackKey& a, Entries::iterator b) const { return (*this)(a, b->key()); }
    bool operator()(Entries::iterator a, Entries::iterator b) const {
      return (*this)(a->key(), b->key());
    }
  };
  // Until there is room for one of `bytes`.
  void make_room(size_t bytes);
  void drop(Entries::iterator entry);

  size_t max_stacks_;
  size_t max_bytes_;
  size_t bytes_ = 0;  // without texts
  uint64_t refused_ = 0;
  uint64_t evicted_ = 0;
  Entries entries_;  // asked for last first
  std::unordered_set<Entries::iterator, Hash, Equal> index_;
  TextPool texts_;
};

}  // namespace mapscope
