// SPDX-License-Identifier: Apache-2.0
// A damaged file is unwound by and named from: .eh_frame, symbols and DWARF.
#include <cstring>
#include <functional>
#include <random>

#include "agent/symbolize/module.h"
#include "agent/symbolize/unwinder.h"
#include "tests/fuzz/support/elf_mutator.h"
#include "tests/fuzz/support/fuzz_target.h"
#include "tests/fuzz/support/mapped_file.h"
#include "tests/fuzz/support/memory_file.h"
#include "tests/paths.h"

namespace mapscope::test {
namespace {

constexpr uint64_t kMaxDebugBytes = 16U << 20;
constexpr size_t kMaxFrames = 64;
constexpr int kStacks = 4;
constexpr uint64_t kAddresses = 16;

// Registers and stack are full of addresses in the mapping and on the stack.
ms_stack_record made_up_record(const ExecutableMapping& mapping, std::minstd_rand& random) {
  ms_stack_record record{};
  const auto code = [&] { return mapping.start + random() % (mapping.end - mapping.start); };
  for (uint64_t& value : record.registers) value = code();
  record.registers[MS_REG_SP] = kMappedBase + (uint64_t{1} << 32);
  record.registers[MS_REG_BP] = record.registers[MS_REG_SP] + random() % 256 * 8;
  record.stack_bytes = MS_STACK_BYTES;
  for (size_t at = 0; at < MS_STACK_BYTES; at += sizeof(uint64_t)) {
    const uint64_t word =
        random() % 2 == 0 ? code() : record.registers[MS_REG_SP] + random() % 512 * 8;
    std::memcpy(record.stack + at, &word, sizeof(word));
  }
  return record;
}

void name_addresses(Module& module, const std::vector<CodeAddress>& addresses) {
  const UniqueFd no_root;
  for (const CodeAddress& address : addresses) {
    std::vector<Frame> frames;
    module.append_frames(address.lookup_address(), no_root, kMaxDebugBytes, frames);
    require(!frames.empty());
    for (const Frame& frame : frames)
      require(frame.function.size() <= 4096 && frame.file.size() <= 1024);
  }
}

}  // namespace

Seeds make_seeds() {
  return {{"pie", read_file(MAPSCOPE_FIXTURE_STACKS_PIE)},
          {"dwarf4", read_file(MAPSCOPE_FIXTURE_STACKS_DWARF4)},
          {"compressed", read_file(MAPSCOPE_FIXTURE_STACKS_COMPRESSED)},
          {"no_tables", read_file(MAPSCOPE_FIXTURE_STACKS_NO_TABLES)},
          {"stripped", read_file(MAPSCOPE_FIXTURE_STACKS_STRIPPED)}};
}

void feed(Input input) {
  const auto mapping = mapping_of(input);
  if (!mapping) return;
  std::vector<std::unique_ptr<Module>> modules;
  auto module = Module::open(*mapping, memory_file(input));
  if (!module) return;
  modules.push_back(std::move(*module));
  std::minstd_rand random(static_cast<unsigned>(std::hash<std::string_view>{}(text_of(input))));
  std::vector<CodeAddress> addresses;
  if (const auto unwinder = Unwinder::create(modules)) {
    for (int i = 0; i < kStacks; ++i) {
      (*unwinder)->unwind(made_up_record(*mapping, random), kMaxFrames, addresses);
      require(addresses.size() <= kMaxFrames);
    }
  }
  for (uint64_t i = 0; i < kAddresses; ++i)
    addresses.push_back({mapping->start + (mapping->end - mapping->start) * i / kAddresses, false});
  name_addresses(*modules.front(), addresses);
}

}  // namespace mapscope::test

MAPSCOPE_MUTATES_ELF

// libelf and libdw lose some of what they had allocated when they give up on a damaged file. What
// they allocated is left out of LeakSanitizer's search; what the agent allocates is not.
extern "C" const char* __lsan_default_suppressions() { return "leak:libelf\nleak:libdw\n"; }
