// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/map_types.h – the map types that a record can mean, by the address that a probe
// read.
//
// They are those of the file that the record comes from; and of an address that is not that file's,
// those of the other Go files of its process: the runtime that grows a plugin's map is the
// program's. Threads: any.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "agent/runtimes/loaded_programs.h"

namespace mapscope {

class MapTypes {
 public:
  // `bias`: what the process' addresses are above those of the file. `loaded` may be nullptr.
  MapTypes(std::shared_ptr<ProgramTypes> own, uint64_t bias, std::shared_ptr<LoadedPrograms> loaded)
      : own_(std::move(own)), bias_(bias), loaded_(std::move(loaded)) {}

  // Of the runtime that the record comes from.
  [[nodiscard]] const GoVersion& version() const { return own_->program().build().version; }
  // nullptr: no map type of these files. Valid as long as the object.
  const GoMapType* find(uint64_t address);
  [[nodiscard]] std::optional<GoFunction> function_at(uint64_t address) const;

 private:
  std::shared_ptr<ProgramTypes> own_;
  uint64_t bias_;
  std::shared_ptr<LoadedPrograms> loaded_;
};

}  // namespace mapscope
