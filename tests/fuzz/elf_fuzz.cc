// SPDX-License-Identifier: Apache-2.0
// ELF headers, sections, symbols and notes, by both of the agent's readers.
#include <algorithm>
#include <array>

#include "agent/binary/elf_file.h"
#include "agent/binary/program.h"
#include "tests/fuzz/support/elf_mutator.h"
#include "tests/fuzz/support/fuzz_target.h"
#include "tests/fuzz/support/memory_file.h"
#include "tests/paths.h"

namespace mapscope::test {
namespace {

constexpr uint64_t kMaxDebugBytes = 16U << 20;
constexpr size_t kCodeBytes = 4096;

void ask_image(const ElfImage& image) {
  for (const char* name : {"mapscope_map_grow", "mapscope_map_insert", "main", ""}) {
    const auto function = image.find_function(name);
    require(!function || (function->name == name && image.function_count() > 0));
    if (function) (void)image.code(function->vaddr, kCodeBytes);
  }
  for (const LoadSegment& segment : image.load_segments()) {
    for (const uint64_t vaddr :
         {segment.vaddr, segment.vaddr + segment.bytes / 2, segment.vaddr + segment.bytes - 1}) {
      const auto code = image.code(vaddr, kCodeBytes);
      require(code.size() <= kCodeBytes && (code.empty() || image.file_offset(vaddr)));
    }
  }
  for (const char* name : {".text", ".go.buildinfo", ".gopclntab", ""}) {
    const auto section = image.find_section(name);
    require(!section || image.has_sections());
  }
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  require(std::ranges::all_of(image.build_id(), is_hex) && image.build_id().size() % 2 == 0);
}

void ask_file(const ElfFile& file) {
  (void)file.first_vaddr();
  (void)file.load_bias(0x7f0000000000, 0);
  (void)file.load_bias(0x7f0000001000, 0x1000);
  (void)file.has_debug_info();
  (void)file.build_id();
  (void)file.debug_link();
}

}  // namespace

Seeds make_seeds() {
  return {{"pie", read_file(MAPSCOPE_FIXTURE_CONTRACT_PIE)},
          {"no_pie", read_file(MAPSCOPE_FIXTURE_CONTRACT_NO_PIE)},
          {"stripped", read_file(MAPSCOPE_FIXTURE_CONTRACT_STRIPPED)},
          {"exported", read_file(MAPSCOPE_FIXTURE_CONTRACT_EXPORTED)},
          {"shapes", read_file(MAPSCOPE_FIXTURE_SHAPES)},
          {"split", read_file(MAPSCOPE_FIXTURE_STACKS_SPLIT)},
          {"compressed", read_file(MAPSCOPE_FIXTURE_STACKS_COMPRESSED)}};
}

void feed(Input input) {
  const UniqueFd fd = memory_file(input);
  if (const auto program = Program::open(fd, "program")) {
    ask_image(program->elf);
    (void)program->find_function("main");
  }
  for (const uint64_t debug_bytes : {uint64_t{0}, kMaxDebugBytes}) {
    for (const DebugSections wanted : {DebugSections::kAll, DebugSections::kTypes}) {
      if (const auto file = ElfFile::open(fd.get(), "file", debug_bytes, wanted)) ask_file(*file);
    }
  }
}

}  // namespace mapscope::test

MAPSCOPE_MUTATES_ELF
