// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/loaded_programs.h"

#include <algorithm>

namespace mapscope {

const GoMapType* ProgramTypes::find(uint64_t vaddr) {
  const std::lock_guard lock(mutex_);
  if (const auto known = kept_.find(vaddr); known != kept_.end()) return &known->second;
  if (kept_.size() >= kMaxKept) return nullptr;
  auto type = program_->map_type(vaddr);
  return type ? &kept_.emplace(vaddr, std::move(*type)).first->second : nullptr;
}

void LoadedPrograms::add(const std::shared_ptr<ProgramTypes>& types, uint64_t bias) {
  const std::lock_guard lock(mutex_);
  const auto known =
      std::ranges::find_if(loaded_, [&](const Loaded& loaded) { return loaded.types == types; });
  if (known == loaded_.end()) {
    loaded_.push_back({types, bias});
  } else {
    known->bias = bias;
  }
}

std::vector<LoadedPrograms::Loaded> LoadedPrograms::all() const {
  const std::lock_guard lock(mutex_);
  return loaded_;
}

LoadedPrograms::Type LoadedPrograms::find_type(uint64_t address) const {
  for (const Loaded& loaded : all()) {
    if (const GoMapType* type = loaded.types->find(address - loaded.bias))
      return {type, loaded.types.get()};
  }
  return {};
}

std::optional<GoFunction> LoadedPrograms::function_at(uint64_t address) const {
  for (const Loaded& loaded : all()) {
    if (auto function = loaded.types->program().function_at(address - loaded.bias)) return function;
  }
  return std::nullopt;
}

std::string LoadedPrograms::main_module(uint64_t address) const {
  for (const Loaded& loaded : all()) {
    const GoProgram& program = loaded.types->program();
    if (program.function_at(address - loaded.bias)) return program.build().main_module;
  }
  return "";
}

LoadedPrograms::Frames LoadedPrograms::frames(uint64_t address) const {
  for (const Loaded& loaded : all()) {
    const uint64_t vaddr = address - loaded.bias;
    if (auto frames = loaded.types->program().frames(vaddr); !frames.empty())
      return {std::move(frames), vaddr};
  }
  return {};
}

}  // namespace mapscope
