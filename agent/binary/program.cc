// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/program.h"

#include <utility>

#include "agent/binary/foreign.h"

namespace mapscope {

Result<Program> Program::open(const UniqueFd& fd, std::string name) {
  Result<ElfImage> elf = ElfImage::open(fd, std::move(name));
  if (!elf) return std::move(elf).error();
  Result<std::optional<GoProgram>> go = GoProgram::open(*elf);
  if (!go) return std::move(go).error();
  if (!*go) {
    if (auto foreign = foreign_program(*elf)) return *std::move(foreign);
  }
  Program program{std::move(*elf), nullptr};
  if (*go) program.go = std::make_shared<const GoProgram>(std::move(**go));
  return program;
}

std::optional<Symbol> Program::find_function(std::string_view function) const {
  if (go != nullptr) {
    if (const auto found = go->find_function(function)) {
      return Symbol{function, found->vaddr, found->size};
    }
  }
  auto symbol = elf.find_function(function);
  if (symbol) symbol->name = function;
  return symbol;
}

}  // namespace mapscope
