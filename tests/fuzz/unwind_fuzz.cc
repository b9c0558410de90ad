// SPDX-License-Identifier: Apache-2.0
// Any registers and any stack, over intact files.
// The first byte says which file: one with .eh_frame, or one that is walked by frame pointer. The
// rest is the record.
#include <algorithm>
#include <array>
#include <cstring>

#include "agent/symbolize/module.h"
#include "agent/symbolize/unwinder.h"
#include "tests/fuzz/support/fuzz_target.h"
#include "tests/fuzz/support/mapped_file.h"
#include "tests/fuzz/support/memory_file.h"
#include "tests/paths.h"
#include "tests/support/stack_program.h"

namespace mapscope::test {
namespace {

constexpr size_t kMaxFrames = 64;
constexpr std::array kPrograms = {MAPSCOPE_FIXTURE_STACKS_PIE, MAPSCOPE_FIXTURE_STACKS_NO_TABLES};

struct Mapped {
  explicit Mapped(const std::string& path) {
    const Bytes file = read_file(path);
    mapping = mapping_of(file).value();
    auto module = Module::open(mapping, memory_file(file));
    require(module.ok());
    modules.push_back(std::move(*module));
    auto created = Unwinder::create(modules);
    require(created.ok());
    unwinder = std::move(*created);
  }
  ExecutableMapping mapping;
  std::vector<std::unique_ptr<Module>> modules;
  std::unique_ptr<Unwinder> unwinder;
};

Mapped& mapped(size_t program) {
  static std::array<Mapped, kPrograms.size()> all = {Mapped(kPrograms[0]), Mapped(kPrograms[1])};
  return all[program % all.size()];
}

// Addresses of the running program become those of the mapping here.
void rebase(ms_stack_record& record, const ExecutableMapping& from, uint64_t to) {
  const auto move = [&](uint64_t& word) {
    if (from.start <= word && word < from.end) word = word - from.start + to;
  };
  for (uint64_t& word : record.registers) move(word);
  for (size_t at = 0; at < MS_STACK_BYTES; at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, record.stack + at, sizeof(word));
    move(word);
    std::memcpy(record.stack + at, &word, sizeof(word));
  }
}

Bytes seed_of(size_t program, const std::string& mode) {
  StackProgram running(kPrograms[program], mode);
  ms_stack_record record = running.read_record();
  const auto mappings = read_executable_mappings(running.process().pid, 100).value();
  const auto own = std::ranges::find(mappings, kPrograms[program], &ExecutableMapping::path);
  require(own != mappings.end());
  const Mapped& here = mapped(program);
  // The kernel maps whole pages.
  rebase(record, *own, here.mapping.start - (here.mapping.offset - own->offset));
  Bytes seed(1 + sizeof(record));
  seed[0] = static_cast<uint8_t>(program);
  std::memcpy(&seed[1], &record, sizeof(record));
  return seed;
}

}  // namespace

Seeds make_seeds() {
  return {{"tables", seed_of(0, "chain")},
          {"tables.deep", seed_of(0, "deep")},
          {"frame_pointer", seed_of(1, "chain")},
          {"frame_pointer.deep", seed_of(1, "deep")}};
}

void feed(Input input) {
  if (input.empty()) return;
  ms_stack_record record{};
  std::memcpy(&record, input.data() + 1, std::min(input.size() - 1, sizeof(record)));
  std::vector<CodeAddress> addresses;
  mapped(input[0]).unwinder->unwind(record, kMaxFrames, addresses);
  require(addresses.size() <= kMaxFrames);
  require(addresses.empty() || addresses[0].pc == record.registers[MS_REG_IP]);
}

}  // namespace mapscope::test
