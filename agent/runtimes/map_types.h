// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/map_types.h – the map types of one Go process, by the address that a probe read.
//
// Answers are kept, at most kMaxKept of them: beyond that a type that was not seen before is
// unknown, whatever addresses the process makes up. Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "agent/binary/go_program.h"

namespace mapscope {

class MapTypes {
 public:
  // bias: what the process' addresses are above those of the file.
  MapTypes(std::shared_ptr<const GoProgram> program, uint64_t bias)
      : program_(std::move(program)), bias_(bias) {}

  [[nodiscard]] const GoVersion& version() const { return program_->build().version; }
  // nullptr: no map type of the program's own. Valid as long as the object.
  const GoMapType* find(uint64_t address);

 private:
  static constexpr size_t kMaxKept = 4096;

  std::shared_ptr<const GoProgram> program_;
  uint64_t bias_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, std::optional<GoMapType>> kept_;
};

}  // namespace mapscope
