// SPDX-License-Identifier: Apache-2.0
// agent/model/caller_table.h – the last stack of each caller: what a resize whose own stack was not
// sampled is attributed to.
//
// A caller is an address and the type of the map that it made grow. In Go the address is that of
// the call in the first frame outside the runtime, as in its file, so that every process and run
// of the file has the same: then a stack's site is in that very frame, and exact. One that is not
// (a copy of user code inside a function of the runtime) makes its caller ambiguous. Elsewhere the
// address is the return address at the probe, in one process; the map's own code may stand there,
// and then the site is known only as long as all stacks of the caller had the same.
// Holds no stack: whoever made it may let go of it. Bounds: kMaxCallers; then all are forgotten.
// Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/model/resize.h"

namespace mapscope {

struct CallerKey {
  uint64_t file = 0;    // PlannedFile::number; 0: `address` is one of the process
  uint32_t target = 0;  // 0 with a file
  uint64_t address = 0;
  std::string_view map_type;
  bool operator==(const CallerKey&) const = default;
};

class CallerTable {
 public:
  static constexpr size_t kMaxCallers = 65'536;

  struct Found {
    StackPtr stack;             // nullptr: none, or not sure
    bool own_is_known = false;  // all stacks of the caller had the same own frame
  };

  // `address`: of the caller in the process, to compare frames with.
  void remember(const CallerKey& key, uint64_t address, const StackPtr& stack);
  [[nodiscard]] Found find(const CallerKey& key) const;
  // REQUIRES: sorted.
  void forget(std::span<const uint32_t> targets);

 private:
  struct Key {
    CallerKey key;
    std::string map_type;  // what key.map_type views
  };
  struct Place {
    SharedText function;
    SharedText file;
    uint32_t line = 0;
    uint64_t address = 0;  // where there is no function
    bool operator==(const Place&) const = default;
  };
  struct Entry {
    std::weak_ptr<const Stack> stack;
    Place site;
    Place own;
    bool ambiguous = false;
    bool own_differs = false;
  };
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    size_t operator()(const CallerKey& key) const;
    size_t operator()(const Key& key) const { return (*this)(view(key)); }
  };
  struct Equal {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
    bool operator()(const Key& a, const Key& b) const { return view(a) == view(b); }
    bool operator()(const Key& a, const CallerKey& b) const { return view(a) == b; }
    bool operator()(const CallerKey& a, const Key& b) const { return a == view(b); }
  };
  static CallerKey view(const Key& key);
  static Place place_of(const Frame* frame);

  std::unordered_map<Key, Entry, Hash, Equal> callers_;
};

}  // namespace mapscope
