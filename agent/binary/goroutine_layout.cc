// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/binary/go_dwarf_layout.h"
#include "agent/binary/go_program.h"
#include "agent/binary/instruction.h"

namespace mapscope {
namespace {

constexpr uint64_t kMaxCodeBytes = 64 << 10;
constexpr int kLastMinor = 27;
constexpr uint16_t kCreatorToStart = 16;  // from gopc to startpc, in every version

struct Row {
  int first_minor;
  GoroutineLayout layout;
};

// The offsets in runtime2.go of these versions; they did not change between releases of one. 1.17
// has the tracking fields, 1.21 regroups those of the trace, 1.23 adds syscallbp, 1.25 drops
// gobuf.ret, 1.26 adds what FIPS and secrets need.
constexpr Row kRows[] = {
    {26, {144, 152, 304, 232, 184, 208, true}}, {25, {144, 152, 296, 224, 184, 200, true}},
    {23, {152, 160, 304, 232, 192, 208, true}}, {21, {144, 152, 296, 232, 192, 208, true}},
    {17, {144, 152, 312, 232, 192, 208, true}}, {15, {144, 152, 296, 232, 192, 208, false}},
};

Error unsupported(const ElfImage& image, const GoProgram& program, const std::string& what) {
  return {ErrorKind::kUnsupported, image.name() + ": " + program.build().text + ": " + what};
}

std::optional<GoroutineLayout> layout_of_version(const GoVersion& version) {
  if (version.major != 1 || version.minor > kLastMinor) return std::nullopt;
  for (const Row& row : kRows) {
    if (version.minor >= row.first_minor) return row.layout;
  }
  return std::nullopt;
}

// The displacement at which an instruction stores 8 bytes relative to a register, if it is too
// large for one byte: mov [reg+disp32], reg or imm32.
std::optional<int32_t> stored_at(const Instruction& instruction) {
  constexpr uint8_t kStoreRegister = 0x89;
  constexpr uint8_t kStoreImmediate = 0xc7;
  constexpr uint8_t kWide = 8;
  if (instruction.opcode_at == 0) return std::nullopt;
  const uint8_t rex = instruction.bytes[instruction.opcode_at - 1U];
  const bool is_wide = (rex & 0xf0) == 0x40 && (rex & kWide) != 0;
  const bool is_store =
      instruction.opcode() == kStoreRegister || instruction.opcode() == kStoreImmediate;
  const uint8_t mode = instruction.opcode(1);
  const size_t at = instruction.opcode_at + ((mode & 7) == 4 ? 3U : 2U);  // behind a SIB byte
  if (!is_wide || !is_store || mode >> 6 != 2 || at + 4 > instruction.length) return std::nullopt;
  int32_t displacement;
  std::memcpy(&displacement, instruction.bytes.data() + at, sizeof(displacement));
  return displacement;
}

// What runtime.newproc1 stores, which makes a goroutine: its id, who made it, where it starts.
Result<std::vector<int32_t>> stores_of_creation(const ElfImage& image, const GoProgram& program) {
  const auto function = program.find_function("runtime.newproc1");
  if (!function || function->size > kMaxCodeBytes) {
    return unsupported(image, program, "no runtime.newproc1 to hold the layout of g against");
  }
  const auto code = disassemble(image.code(function->vaddr, function->size), function->vaddr);
  if (!code) return unsupported(image, program, "runtime.newproc1: " + code.error().text);
  std::vector<int32_t> stores;
  for (const Instruction& instruction : *code) {
    if (const auto displacement = stored_at(instruction)) stores.push_back(*displacement);
  }
  return stores;
}

}  // namespace

Result<GoroutineLayout> goroutine_layout(const ElfImage& image, const GoProgram& program) {
  const GoVersion& version = program.build().version;
  const auto by_dwarf = read_dwarf_layout(image);
  auto layout = by_dwarf ? by_dwarf : layout_of_version(version);
  if (!layout || version == GoVersion{}) {
    return unsupported(image, program, "where g and m have their fields was not checked");
  }
  layout->g_in_register = version >= GoVersion{1, 17, 0};
  const auto stores = stores_of_creation(image, program);
  if (!stores) return stores.error();
  const int32_t expected[] = {layout->goid, layout->start_pc, layout->start_pc - kCreatorToStart};
  for (const int32_t displacement : expected) {
    if (std::find(stores->begin(), stores->end(), displacement) == stores->end()) {
      return unsupported(image, program,
                         std::string("runtime.newproc1 does not store what ") +
                             (by_dwarf ? "the debug information" : "this version") + " has at " +
                             std::to_string(displacement) + " in g");
    }
  }
  return *layout;
}

}  // namespace mapscope
