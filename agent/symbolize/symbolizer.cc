// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/symbolizer.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/runtimes/loaded_programs.h"
#include "agent/runtimes/runtime.h"
#include "agent/symbolize/address_space.h"
#include "agent/symbolize/stack_table.h"

namespace mapscope {
namespace {

constexpr size_t kMaxFramesWithInlined = 256;

int find_site(const Stack& stack) {
  const auto site =
      std::ranges::find_if(stack.frames, [](const Frame& frame) { return !frame.map_code; });
  return site == stack.frames.end() ? -1 : static_cast<int>(site - stack.frames.begin());
}

// As the runtime prints it: what a generic function was made for is left out.
std::string without_type_arguments(std::string function) {
  const size_t open = function.find('[');
  const size_t close = function.rfind(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return function;
  return function.replace(open, close - open + 1, "[...]");
}

// Whether a function belongs to a module of Go: its name begins with its package's path, in whose
// last element dots are written as %2e.
bool is_of_module(std::string_view function, std::string_view module) {
  if (function.starts_with("main.")) return true;
  for (size_t i = 0; i < module.size(); ++i) {
    if (module[i] == '.' && function.starts_with("%2e")) {
      function.remove_prefix(3);
    } else if (!function.empty() && function.front() == module[i]) {
      function.remove_prefix(1);
    } else {
      return false;
    }
  }
  return function.starts_with('.') || function.starts_with('/');
}

int find_own(const Stack& stack, const Target& target) {
  if (stack.site < 0 || target.loaded == nullptr) return -1;
  const std::string module = target.loaded->main_module(stack.site_frame()->address);
  if (module.empty()) return -1;
  const auto own =
      std::find_if(stack.frames.begin() + stack.site, stack.frames.end(),
                   [&](const Frame& frame) { return is_of_module(frame.function, module); });
  return own == stack.frames.end() ? -1 : static_cast<int>(own - stack.frames.begin());
}

// Empty when the address is in none of the target's Go files.
std::vector<Frame> go_frames(const Target& target, const AddressSpace& space,
                             const CodeAddress& address) {
  std::vector<Frame> frames;
  if (target.loaded == nullptr) return frames;
  auto [go, vaddr] = target.loaded->frames(address.lookup_address());
  for (GoFrame& found : go) {
    Frame& frame = frames.emplace_back();
    frame.address = address.pc;
    frame.function = without_type_arguments(std::move(found.function));
    frame.file = std::move(found.file);
    frame.line = found.line;
    frame.module = space.module_path(address.lookup_address());
    frame.module_address = vaddr;
  }
  return frames;
}

// Valid until the next call.
const std::vector<Frame>& cached_go_frames(const Target& target, AddressSpace& space,
                                           const CodeAddress& address) {
  const uint64_t key = address.lookup_address();
  if (const std::vector<Frame>* known = space.go_frames().find(key)) return *known;
  return space.go_frames().insert(key, go_frames(target, space, address));
}

}  // namespace

struct Symbolizer::Impl {
  explicit Impl(const SymbolizerLimits& given)
      : limits(given), stacks(given.max_stacks, given.max_stack_bytes) {}

  // Makes `id` the most recently used of the spaces that hold parsed files, and lets the oldest
  // forget.
  void touch(uint32_t id);
  Stack build(const Target& target, AddressSpace& space, const std::vector<CodeAddress>& addresses,
              const Runtime* runtime, std::string_view map_type) const;
  StackPtr intern(const Target& target, AddressSpace& space,
                  const std::vector<CodeAddress>& addresses, const Runtime* runtime,
                  std::string_view map_type, bool whole);

  SymbolizerLimits limits;
  StackTable stacks;
  std::unordered_map<uint32_t, std::unique_ptr<AddressSpace>> spaces;  // by target id
  std::list<uint32_t> recent;   // ids with parsed files, latest first
  std::vector<uint64_t> words;  // of the key, kept for its capacity
  std::atomic<uint64_t> resolved{0};
  std::atomic<uint64_t> unresolved{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> evicted{0};
  std::atomic<uint64_t> reloads{0};
};

void Symbolizer::Impl::touch(uint32_t id) {
  if (!recent.empty() && recent.front() == id) return;
  recent.remove(id);
  recent.push_front(id);
  if (recent.size() <= limits.max_open_sessions) return;
  spaces.at(recent.back())->forget();
  recent.pop_back();
}

Stack Symbolizer::Impl::build(const Target& target, AddressSpace& space,
                              const std::vector<CodeAddress>& addresses, const Runtime* runtime,
                              std::string_view map_type) const {
  Stack stack;
  for (const CodeAddress& address : addresses) {
    const std::vector<Frame>& go = cached_go_frames(target, space, address);
    for (const Frame& frame : go.empty() ? space.frames(address) : go) {
      if (stack.frames.size() == kMaxFramesWithInlined) break;
      stack.frames.push_back(frame);
      stack.frames.back().map_code =
          runtime != nullptr && runtime->is_map_code(frame.function, map_type);
    }
  }
  stack.site = find_site(stack);
  stack.own = find_own(stack, target);
  return stack;
}

Result<Symbolizer> Symbolizer::create(const SymbolizerLimits& limits) {
  const bool usable = limits.max_frames > 0 && limits.max_mappings > 0 &&
                      limits.max_cached_addresses > 0 && limits.max_open_sessions > 0 &&
                      limits.max_debug_bytes > 0 && limits.max_stacks > 0 &&
                      limits.max_stack_bytes > 0;
  if (!usable) return Error{ErrorKind::kUsage, "symbolizer: every limit must be at least 1"};
  return Symbolizer(std::make_unique<Impl>(limits));
}

Symbolizer::Symbolizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Symbolizer::Symbolizer(Symbolizer&&) noexcept = default;
Symbolizer& Symbolizer::operator=(Symbolizer&&) noexcept = default;
Symbolizer::~Symbolizer() = default;

Status Symbolizer::add_target(const Target& target, const Process& process) {
  if (process.pid != target.pid || process.start_ticks != target.start_ticks) {
    return Error{ErrorKind::kNotFound,
                 "pid " + std::to_string(target.pid) + ": is another process by now"};
  }
  auto space = AddressSpace::open(process, impl_->limits);
  if (!space) return std::move(space).error();
  impl_->spaces.insert_or_assign(target.id, std::move(*space));
  return Done{};
}

void Symbolizer::update_target(const Target& target, const Process& process) {
  const auto found = impl_->spaces.find(target.id);
  if (found == impl_->spaces.end()) {
    std::ignore = add_target(target, process);
    return;
  }
  if (auto changed = found->second->update(process); changed && *changed) ++impl_->reloads;
}

void Symbolizer::remove_target(uint32_t id) {
  impl_->recent.remove(id);
  impl_->spaces.erase(id);
}

void Symbolizer::forget_stacks(std::span<const uint32_t> ids) { impl_->stacks.forget(ids); }

StackPtr Symbolizer::resolve(const Target& target, const ms_stack_record& record,
                             const Runtime* runtime, std::string_view map_type) {
  const auto found = impl_->spaces.find(target.id);
  if (found == impl_->spaces.end()) {
    ++impl_->unresolved;
    return nullptr;
  }
  AddressSpace& space = *found->second;
  impl_->touch(target.id);
  const uint32_t before = space.generation();
  const std::vector<CodeAddress>& addresses = space.unwind(record);
  if (space.generation() != before) ++impl_->reloads;
  if (addresses.empty()) {
    ++impl_->unresolved;
    return nullptr;
  }
  return impl_->intern(target, space, addresses, runtime, map_type, true);
}

StackPtr Symbolizer::Impl::intern(const Target& target, AddressSpace& space,
                                  const std::vector<CodeAddress>& addresses, const Runtime* runtime,
                                  std::string_view map_type, bool whole) {
  words.clear();
  // No sampled stack has an address like this.
  if (!whole) words.push_back(UINT64_MAX);
  for (const CodeAddress& address : addresses) words.push_back(address.lookup_address());
  const StackKey key{target.id, space.generation(), map_type, words};
  StackPtr stack = stacks.find(key);
  if (stack == nullptr) {
    Stack built = build(target, space, addresses, runtime, map_type);
    built.whole = whole;
    stack = stacks.insert(key, std::move(built));
    evicted = stacks.evicted();
  }
  stack == nullptr ? ++refused : ++resolved;
  return stack;
}

StackPtr Symbolizer::resolve(const Target& target, const ms_frames_record& record,
                             const Runtime* runtime) {
  const auto found = impl_->spaces.find(target.id);
  const size_t count = std::min<size_t>(record.frame_count, MS_MAX_FRAMES);
  if (found == impl_->spaces.end() || count == 0) {
    ++impl_->unresolved;
    return nullptr;
  }
  std::vector<CodeAddress> addresses;
  addresses.reserve(count);
  for (size_t i = 0; i < count; ++i) addresses.push_back({record.frames[i], i > 0});
  return impl_->intern(target, *found->second, addresses, runtime, {}, true);
}

StackPtr Symbolizer::resolve_caller(const Resize& resize) {
  const auto found = impl_->spaces.find(resize.target->id);
  if (found == impl_->spaces.end() || resize.caller == 0) return nullptr;
  const std::string_view map_type =
      resize.caller_is_return ? resize.map_type : std::string_view();  // as for stacks
  return impl_->intern(*resize.target, *found->second, {{resize.caller, resize.caller_is_return}},
                       resize.runtime, map_type, false);
}

std::optional<uint64_t> Symbolizer::load_bias(uint32_t id, uint64_t dev, uint64_t inode) const {
  const auto found = impl_->spaces.find(id);
  if (found == impl_->spaces.end()) return std::nullopt;
  return found->second->load_bias(dev, inode);
}

SymbolizerCounts Symbolizer::counts() const {
  return {impl_->resolved, impl_->unresolved, impl_->refused, impl_->evicted, impl_->reloads};
}

}  // namespace mapscope
