// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/stack_table.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace mapscope {
namespace {

// Heap and object bytes of a stack and its key, without the allocator's own.
size_t bytes_of(const StackKey& key, const Stack& stack) {
  size_t bytes = sizeof(Stack) + key.map_type.size() + key.addresses.size_bytes();
  for (const Frame& frame : stack.frames) {
    bytes +=
        sizeof(Frame) + frame.function.capacity() + frame.file.capacity() + frame.module.capacity();
  }
  return bytes;
}

}  // namespace

StackTable::StackTable(size_t max_stacks, size_t max_bytes)
    : max_stacks_(max_stacks), max_bytes_(max_bytes) {}

const Stack* StackTable::find(const StackKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->stack.get();
}

const Stack* StackTable::insert(const StackKey& key, Stack stack) {
  const size_t bytes = sizeof(Entry) + bytes_of(key, stack);
  if (entries_.size() >= max_stacks_ || bytes > max_bytes_ - bytes_) {
    ++refused_;
    return nullptr;
  }
  bytes_ += bytes;
  Entry entry{key.target,
              key.generation,
              std::string(key.map_type),
              {key.addresses.begin(), key.addresses.end()},
              std::make_unique<const Stack>(std::move(stack))};
  return entries_.insert(std::move(entry)).first->stack.get();
}

void StackTable::forget(std::span<const uint32_t> targets) {
  std::erase_if(entries_, [&](const Entry& entry) {
    if (!std::ranges::binary_search(targets, entry.target)) return false;
    bytes_ -= sizeof(Entry) + bytes_of(entry.key(), *entry.stack);
    return true;
  });
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
