// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
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
constexpr uint16_t kPointerToM = 48;

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
  if (version.major != 1) return std::nullopt;
  for (const Row& row : kRows) {
    if (version.minor >= row.first_minor) return row.layout;
  }
  return std::nullopt;
}

// A member of g or m that the runtime's own code changes.
struct Use {
  const char* function;
  uint16_t offset;
  uint8_t size;
};

// Whatever register holds the object.
bool shows(const Instruction& in, const Use& use) {
  const Operand& to = in.operands[0];
  return in.writes_memory && to.is_memory(to.base, use.offset) && to.size == use.size &&
         to.base < Register::kIp && to.base != Register::kSp;
}

Status hold_against(const ElfImage& image, const GoProgram& program, const Use& use,
                    const std::string& source) {
  const std::string name = use.function;
  const auto function = program.find_function(name);
  if (!function || function->size > kMaxCodeBytes) {
    return unsupported(image, program, "no " + name + " to hold the layout of g against");
  }
  const auto code = disassemble(image.code(function->vaddr, function->size), function->vaddr);
  if (!code) return unsupported(image, program, name + ": " + code.error().text);
  if (std::any_of(code->begin(), code->end(),
                  [&](const Instruction& in) { return shows(in, use); }))
    return Done{};
  return unsupported(image, program,
                     name + " does not store what " + source + " has at " +
                         std::to_string(use.offset) + " in g or m");
}

// runtime.newproc1 makes a goroutine: its id, who made it, where it starts. The others are asked of
// a version that was not checked: each works on that member and hardly any other of its size.
std::vector<Use> uses_of(const GoroutineLayout& layout, bool checked) {
  std::vector<Use> uses;
  for (const int offset :
       {int{layout.goid}, int{layout.start_pc}, layout.start_pc - int{kCreatorToStart}}) {
    uses.push_back({"runtime.newproc1", static_cast<uint16_t>(offset), 8});
  }
  if (checked) return uses;
  uses.push_back({"runtime.casgstatus", layout.status, 4});
  uses.push_back({"runtime.mcommoninit", layout.m_id, 8});
  uses.push_back({"runtime.execute", layout.m_curg, 8});
  uses.push_back({"runtime.wirep", layout.m_p, 8});
  uses.push_back({"runtime.execute", kPointerToM, 8});
  return uses;
}

}  // namespace

Result<GoroutineLayout> goroutine_layout(const ElfImage& image, const GoProgram& program) {
  const GoVersion& version = program.build().version;
  const bool checked = version.major == 1 && version.minor <= kLastMinor;
  const auto by_dwarf = read_dwarf_layout(image);
  auto layout = by_dwarf ? by_dwarf : layout_of_version(version);
  if (!layout || version == GoVersion{}) {
    return unsupported(image, program, "where g and m have their fields was not checked");
  }
  layout->g_in_register = version >= GoVersion{1, 17, 0};
  const std::string source = by_dwarf  ? "the debug information"
                             : checked ? "this version"
                                       : "the newest known version";
  for (const Use& use : uses_of(*layout, checked)) {
    Status held = hold_against(image, program, use, source);
    if (held) continue;
    Error error = std::move(held).error();
    if (!checked) error.label = "go_layout";
    return error;
  }
  return *layout;
}

}  // namespace mapscope
