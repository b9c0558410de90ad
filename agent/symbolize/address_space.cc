// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/address_space.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "agent/symbolize/memory_map.h"

namespace mapscope {
namespace {

using Modules = std::vector<std::unique_ptr<Module>>;

// The file behind a mapping: by its path, or, when that leads elsewhere by now (an upgraded
// library), by the mapping itself, which takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
UniqueFd open_file(const Process& process, const ExecutableMapping& mapping) {
  const auto file = std::ranges::find_if(process.files, [&](const MappedFile& candidate) {
    return candidate.dev == mapping.dev && candidate.inode == mapping.inode;
  });
  if (file == process.files.end()) return {};
  if (auto fd = open_mapped_file(process, *file)) return std::move(*fd);
  return open_mapping(process.pid, mapping);
}

// A mapping that was known before keeps its module.
std::unique_ptr<Module> take_known(Modules& known, const ExecutableMapping& mapping) {
  const auto found = std::ranges::find_if(known, [&](const auto& module) {
    return module != nullptr && module->contains(mapping.start) && module->absorb(mapping);
  });
  return found == known.end() ? nullptr : std::move(*found);
}

Modules open_modules(const Process& process, const std::vector<ExecutableMapping>& mappings,
                     Modules known) {
  Modules modules;
  for (const ExecutableMapping& mapping : mappings) {
    const bool covered =
        std::ranges::any_of(modules, [&](const auto& module) { return module->absorb(mapping); });
    if (covered) continue;
    if (auto module = take_known(known, mapping)) {
      modules.push_back(std::move(module));
      continue;
    }
    UniqueFd fd = mapping.inode == 0 ? UniqueFd() : open_file(process, mapping);
    if (mapping.inode != 0 && !fd.valid()) continue;
    if (auto module = Module::open(mapping, std::move(fd))) modules.push_back(std::move(*module));
  }
  return modules;
}

}  // namespace

AddressSpace::AddressSpace(const Process& process, const SymbolizerLimits& limits, UniqueFd root)
    : pid_(process.pid),
      start_ticks_(process.start_ticks),
      limits_(limits),
      root_(std::move(root)),
      frames_(limits.max_cached_addresses),
      go_frames_(limits.max_cached_addresses) {}

Result<std::unique_ptr<AddressSpace>> AddressSpace::open(const Process& process,
                                                         const SymbolizerLimits& limits) {
  const std::string root_path = "/proc/" + std::to_string(process.pid) + "/root";
  UniqueFd root(::open(root_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return system_error(root_path, errno);
  std::unique_ptr<AddressSpace> space(new AddressSpace(process, limits, std::move(root)));
  if (Result<bool> loaded = space->load(process); !loaded) return std::move(loaded).error();
  if (space->modules_.empty()) {
    return Error{ErrorKind::kUnsupported,
                 process.exe + ": no mapped file could be opened; its stacks stay unknown"};
  }
  return space;
}

const std::vector<CodeAddress>& AddressSpace::unwind(const ms_stack_record& record) {
  if (!unwind_once(record) && reload()) unwind_once(record);
  while (!addresses_.empty() && find_module(addresses_.back().lookup_address()) == nullptr)
    addresses_.pop_back();
  return addresses_;
}

const std::vector<Frame>& AddressSpace::frames(const CodeAddress& address) {
  const uint64_t key = address.lookup_address();
  if (const auto* known = frames_.find(key)) return *known;
  std::vector<Frame> frames;
  Module* module = find_module(key);
  if (module != nullptr) module->append_frames(key, root_, limits_.max_debug_bytes, frames);
  if (frames.empty()) frames.emplace_back();
  for (Frame& frame : frames) frame.address = address.pc;
  return frames_.insert(key, std::move(frames));
}

std::string_view AddressSpace::module_path(uint64_t address) const {
  const Module* module = find_module(address);
  return module == nullptr ? std::string_view() : std::string_view(module->path());
}

std::optional<uint64_t> AddressSpace::load_bias(uint64_t dev, uint64_t inode) const {
  const auto module = std::ranges::find_if(modules_, [&](const auto& candidate) {
    return candidate->dev() == dev && candidate->inode() == inode;
  });
  if (module == modules_.end()) return std::nullopt;
  return (*module)->bias();
}

void AddressSpace::forget() {
  unwinder_.reset();
  for (const auto& module : modules_) module->forget();
}

Result<bool> AddressSpace::load(const Process& process) {
  loaded_at_ = std::chrono::steady_clock::now();
  auto mappings = read_executable_mappings(pid_, limits_.max_mappings);
  if (!mappings) return std::move(mappings).error();
  if (*mappings == mappings_) return false;
  unwinder_.reset();
  frames_.clear();
  go_frames_.clear();
  ++generation_;
  modules_ = open_modules(process, *mappings, std::move(modules_));
  mappings_ = std::move(*mappings);
  // Asked last: until here everything was read of the process that the pid names now.
  const Result<Process> now = read_process(pid_);
  if (now && now->start_ticks == start_ticks_) return true;
  modules_.clear();
  return Error{ErrorKind::kNotFound, "pid " + std::to_string(pid_) + ": is gone"};
}

bool AddressSpace::reload() {
  if (std::chrono::steady_clock::now() - loaded_at_ < limits_.reload_interval) return false;
  const Result<Process> process = read_process(pid_);
  if (!process || process->start_ticks != start_ticks_) return false;
  const Result<bool> changed = load(*process);
  return changed && *changed;
}

Module* AddressSpace::find_module(uint64_t address) const {
  const auto after = std::ranges::upper_bound(modules_, address, {}, &Module::start);
  if (after == modules_.begin()) return nullptr;
  Module* module = std::prev(after)->get();
  return module->contains(address) ? module : nullptr;
}

bool AddressSpace::unwind_once(const ms_stack_record& record) {
  addresses_.clear();
  if (unwinder_ == nullptr) {
    auto unwinder = Unwinder::create(modules_);
    if (!unwinder) return true;
    unwinder_ = std::move(*unwinder);
  }
  unwinder_->unwind(record, limits_.max_frames, addresses_);
  return std::ranges::all_of(addresses_, [&](const CodeAddress& address) {
    return find_module(address.lookup_address()) != nullptr;
  });
}

}  // namespace mapscope
