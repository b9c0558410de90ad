// SPDX-License-Identifier: Apache-2.0
// What a stack costs: the first of a target, with everything still to be read, and a repeated one.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <utility>

#include "agent/symbolize/symbolizer.h"
#include "tests/paths.h"
#include "tests/support/stack_program.h"

namespace mapscope::test {
namespace {

Symbolizer make_symbolizer() {
  Result<Symbolizer> symbolizer = Symbolizer::create();
  if (!symbolizer) std::abort();
  return std::move(*symbolizer);
}

// Opens the files and resolves one stack of 11 frames with inlined ones, from nothing.
void BM_ColdFirstStack(benchmark::State& state) {
  StackProgram program(MAPSCOPE_FIXTURE_STACKS_PIE, "chain");
  const ms_stack_record record = program.read_record();
  const Process process = program.process();
  const Target target = StackProgram::target_of(process);
  while (state.KeepRunning()) {
    Symbolizer symbolizer = make_symbolizer();
    if (!symbolizer.add_target(target, process)) std::abort();
    if (symbolizer.resolve(target, record, target.runtime, "") == nullptr) std::abort();
  }
}
BENCHMARK(BM_ColdFirstStack)->Unit(benchmark::kMillisecond);

// The same stack again: unwound anew, found by its addresses.
void BM_WarmStack(benchmark::State& state, const char* path, const char* mode) {
  StackProgram program(path, mode);
  const ms_stack_record record = program.read_record();
  const Process process = program.process();
  const Target target = StackProgram::target_of(process);
  Symbolizer symbolizer = make_symbolizer();
  if (!symbolizer.add_target(target, process)) std::abort();
  StackPtr stack;
  while (state.KeepRunning()) {
    stack = symbolizer.resolve(target, record, target.runtime, "");
    if (stack == nullptr) std::abort();
  }
  state.counters["frames"] = static_cast<double>(stack->frames.size());
}
BENCHMARK_CAPTURE(BM_WarmStack, chain, MAPSCOPE_FIXTURE_STACKS_PIE, "chain")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(BM_WarmStack, stripped, MAPSCOPE_FIXTURE_STACKS_STRIPPED, "chain")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(BM_WarmStack, deep, MAPSCOPE_FIXTURE_STACKS_PIE, "deep")
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace mapscope::test

BENCHMARK_MAIN();
