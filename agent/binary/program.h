// SPDX-License-Identifier: Apache-2.0
// agent/binary/program.h – a file that may hold maps: its ELF image and, if it is one, the Go
// program in it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "agent/binary/elf_image.h"
#include "agent/binary/go_program.h"

namespace mapscope {

struct Program {
  ElfImage elf;
  std::shared_ptr<const GoProgram> go;  // nullptr: not a Go program

  // Errors: those of ElfImage::open(); a Go program with unusable tables is one, too, and what
  // foreign_program() names.
  static Result<Program> open(const UniqueFd& fd, std::string name);

  // A function by its exact name, from the Go tables where there are any, otherwise from the ELF
  // symbols. `name` of the result is the one asked for, and lives as long as that.
  [[nodiscard]] std::optional<Symbol> find_function(std::string_view name) const;
};

}  // namespace mapscope
