// SPDX-License-Identifier: Apache-2.0
// Every room looks at a damaged program and plans its probes, for an old kernel and a new one.
#include <algorithm>

#include "agent/plan/probe_plan.h"
#include "tests/fuzz/support/elf_mutator.h"
#include "tests/fuzz/support/fuzz_target.h"
#include "tests/fuzz/support/memory_file.h"
#include "tests/paths.h"
#include "tests/support/go_image.h"

namespace mapscope::test {
namespace {

// A probe goes where the file has the bytes that the plan says, or the target would be harmed.
void check(const ProbePlan& plan, const ElfImage& image) {
  for (const PlannedProbe& probe : plan.probes) {
    require(probe.spec != nullptr && !probe.bytes.empty());
    require(image.file_offset(probe.vaddr) == probe.file_offset);
    require(image.code(probe.vaddr, probe.bytes.size()) == probe.bytes);
  }
}

void plan_all(const Program& program) {
  for (const Runtime* runtime : all_runtimes()) {
    const auto match = runtime->identify(program);
    if (!match || !*match) continue;
    for (const KernelFacts& kernel : {KernelFacts{6, 1}, KernelFacts{6, 18}}) {
      for (const Mode mode : {Mode::kResizes, Mode::kInserts, Mode::kRaces}) {
        const auto plan = plan_probes(*runtime, **match, program, kernel, mode);
        if (plan) check(*plan, program.elf);
      }
    }
  }
}

}  // namespace

Seeds make_seeds() {
  Seeds seeds = {{"pie", read_file(MAPSCOPE_FIXTURE_CONTRACT_PIE)},
                 {"no_pie", read_file(MAPSCOPE_FIXTURE_CONTRACT_NO_PIE)},
                 {"exported", read_file(MAPSCOPE_FIXTURE_CONTRACT_EXPORTED)},
                 {"compiled", read_file(MAPSCOPE_FIXTURE_COMPILED_CONTRACT)},
                 {"half", read_file(MAPSCOPE_FIXTURE_HALF_CONTRACT)}};
  for (const auto& [format, version] : kGoFormats)
    seeds[version] = make_go_image(format, version).bytes;
  return seeds;
}

void feed(Input input) {
  if (const auto program = Program::open(memory_file(input), "program")) plan_all(*program);
}

}  // namespace mapscope::test

MAPSCOPE_MUTATES_ELF
