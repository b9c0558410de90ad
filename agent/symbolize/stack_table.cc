// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/stack_table.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

namespace mapscope {
namespace {

// Of the nodes of the list and of the index, about.
constexpr size_t kNodeBytes = 64;
// Of all bytes, what one sweep of texts makes room for at least; fewer are not worth one.
constexpr size_t kSweepShare = 16;

}  // namespace

StackTable::StackTable(size_t max_stacks, size_t max_bytes)
    : max_stacks_(max_stacks), max_bytes_(max_bytes) {}

StackPtr StackTable::find(const StackKey& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, *found);
  return (*found)->stack;
}

void StackTable::drop(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  index_.erase(entry);
  entries_.erase(entry);
}

void StackTable::make_room(size_t bytes) {
  const auto is_full = [&] {
    return entries_.size() >= max_stacks_ || this->bytes() > max_bytes_ - bytes;
  };
  while (is_full() && !entries_.empty()) {
    // Some at once, so that texts that went with them are looked for rarely.
    const size_t few = entries_.size() / kSweepShare + 1;
    for (size_t i = 0; i < few; ++i, ++evicted_) drop(std::prev(entries_.end()));
    if (is_full()) texts_.sweep();
  }
}

StackPtr StackTable::insert(const StackKey& key, Stack stack) {
  size_t text_bytes = 0;
  for (Frame& frame : stack.frames) {
    for (SharedText* text : {&frame.function, &frame.file, &frame.module})
      text_bytes += text->size();
  }
  stack.frames.shrink_to_fit();
  const size_t bytes = sizeof(Entry) + sizeof(Stack) + kNodeBytes + key.map_type.size() +
                       key.addresses.size_bytes() + stack.frames.size() * sizeof(Frame);
  if (max_stacks_ == 0 || bytes + text_bytes > max_bytes_) {
    ++refused_;
    return nullptr;
  }
  make_room(bytes);
  for (Frame& frame : stack.frames) {
    for (SharedText* text : {&frame.function, &frame.file, &frame.module}) texts_.intern(*text);
  }
  bytes_ += bytes;
  entries_.push_front({key.target,
                       key.generation,
                       std::string(key.map_type),
                       {key.addresses.begin(), key.addresses.end()},
                       std::make_shared<const Stack>(std::move(stack)),
                       bytes});
  index_.insert(entries_.begin());
  return entries_.front().stack;
}

void StackTable::forget(std::span<const uint32_t> targets) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto at = entry++;
    if (std::ranges::binary_search(targets, at->target)) drop(at);
  }
  texts_.sweep();
}

size_t StackTable::Hash::operator()(const StackKey& key) const {
  // Fibonacci hashing, folded over the words.
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;
  uint64_t hash =
      (uint64_t{key.target} << 32) ^ key.generation ^ std::hash<std::string_view>{}(key.map_type);
  for (const uint64_t address : key.addresses) {
    hash = (hash ^ address) * kGolden;
    hash ^= hash >> 29;
  }
  return hash;
}

bool StackTable::Equal::operator()(const StackKey& a, const StackKey& b) const {
  return a.target == b.target && a.generation == b.generation && a.map_type == b.map_type &&
         std::ranges::equal(a.addresses, b.addresses);
}

}  // namespace mapscope
