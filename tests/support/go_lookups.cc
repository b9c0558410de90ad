// SPDX-License-Identifier: Apache-2.0
#include "tests/support/go_lookups.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "agent/base/unique_fd.h"
#include "agent/binary/program.h"

namespace mapscope::test {
namespace {

constexpr size_t kMaxFunctions = 32;  // of which every address is asked
constexpr uint64_t kMaxAddresses = 16;
constexpr size_t kMaxTypes = 1000;

void require(bool holds) {
  if (!holds) std::abort();
}

void ask_function(const GoProgram& program, const GoFunction& function) {
  require(function.size > 0 && !function.name.empty());
  const auto again = program.function_at(function.vaddr + function.size - 1);
  require(!again || again->vaddr + again->size >= function.vaddr + function.size);
  (void)program.find_function(function.name);
  const uint64_t step = function.size / kMaxAddresses + 1;
  for (uint64_t at = 0; at < function.size; at += step) {
    require(program.frames(function.vaddr + at).size() <= 257);
    (void)program.stack_depth(function.vaddr + at);
  }
  uint64_t begin = 0;
  for (const GoInlinedCode& code : program.inlined_code(function)) {
    require(code.begin >= begin && code.begin < code.end && !code.function.empty());
    begin = code.begin;
  }
}

void ask(const Program& opened) {
  const GoProgram& program = *opened.go;
  (void)program.find_function("main.main");
  (void)opened.find_function("runtime.hashGrow");
  for (const uint64_t type : program.map_types(kMaxTypes)) {
    const auto map = program.map_type(type);
    require(map && !map->name.empty() && map->group_bytes < 1 << 16);
  }
  (void)goroutine_layout(opened.elf, program);
  size_t functions = 0;
  for (const LoadSegment& segment : opened.elf.load_segments()) {
    (void)program.map_type(segment.vaddr);
    const uint64_t step = segment.bytes / kMaxFunctions + 1;
    for (uint64_t at = 0; at < segment.bytes && functions < 2 * kMaxFunctions; at += step) {
      const auto function = program.function_at(segment.vaddr + at);
      (void)program.frames(segment.vaddr + at);
      if (!function) continue;
      ++functions;
      ask_function(program, *function);
    }
  }
}

}  // namespace

bool ask_everything(std::span<const uint8_t> file) {
  const UniqueFd fd(memfd_create("program", MFD_CLOEXEC));
  if (write(fd.get(), file.data(), file.size()) != static_cast<ssize_t>(file.size())) std::abort();
  const Result<Program> program = Program::open(fd, "program");
  if (!program || program->go == nullptr) return false;
  ask(*program);
  return true;
}

}  // namespace mapscope::test
