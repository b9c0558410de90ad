// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/loaded_programs.h – the Go files of a process, and which of them an address is in.
//
// Of each there is one for all processes, which keeps the types that it was asked for and has, at
// most kMaxKept: beyond that one that was not seen before is unknown. Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/binary/go_program.h"

namespace mapscope {

// The map types of one file, by their addresses in it.
class ProgramTypes {
 public:
  explicit ProgramTypes(std::shared_ptr<const GoProgram> program) : program_(std::move(program)) {}

  [[nodiscard]] const GoProgram& program() const { return *program_; }
  // nullptr: no map type of the file's own. Valid as long as the object.
  const GoMapType* find(uint64_t vaddr);

 private:
  static constexpr size_t kMaxKept = 4096;

  std::shared_ptr<const GoProgram> program_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, GoMapType> kept_;
};

// Addresses are the process' own. A Go file stays, once it was loaded: Go cannot unload any.
class LoadedPrograms {
 public:
  struct Frames {
    std::vector<GoFrame> frames;  // empty: the address is in none of these files
    uint64_t vaddr = 0;           // in the file
  };

  // `bias`: what the process' addresses are above those of the file.
  void add(const std::shared_ptr<ProgramTypes>& types, uint64_t bias);
  struct Type {
    const GoMapType* type = nullptr;     // nullptr: no map type of any
    const ProgramTypes* file = nullptr;  // that it is of
  };
  // Valid as long as the object.
  [[nodiscard]] Type find_type(uint64_t address) const;
  [[nodiscard]] std::optional<GoFunction> function_at(uint64_t address) const;
  // The path of the main module of the file whose code this is; "" unknown, or in none of them.
  [[nodiscard]] std::string main_module(uint64_t address) const;
  // See GoProgram::frames().
  [[nodiscard]] Frames frames(uint64_t address) const;

 private:
  struct Loaded {
    std::shared_ptr<ProgramTypes> types;
    uint64_t bias = 0;
  };
  [[nodiscard]] std::vector<Loaded> all() const;

  mutable std::mutex mutex_;
  std::vector<Loaded> loaded_;
};

}  // namespace mapscope
