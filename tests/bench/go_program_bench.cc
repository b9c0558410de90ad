// SPDX-License-Identifier: Apache-2.0
// What it costs to understand a large Go program: Debian's prometheus, 100 MB, or the file named by
// MAPSCOPE_BENCH_GO_PROGRAM. read_mb: what the process read meanwhile.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "agent/binary/program.h"
#include "agent/plan/probe_plan.h"

namespace mapscope::test {
namespace {

std::string program_path() {
  if (const char* path = std::getenv("MAPSCOPE_BENCH_GO_PROGRAM")) return path;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path path(cache != nullptr ? cache : "");
  if (cache == nullptr) path = std::filesystem::path(home != nullptr ? home : "") / ".cache";
  return path / "mapscope/prometheus/usr/bin/prometheus";
}

Program open_program(benchmark::State& state) {
  const std::string path = program_path();
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Result<Program> program = Program::open(fd, path);
  if (!program || program->go == nullptr) {
    state.SkipWithError(program ? "not a Go program" : program.error().text.c_str());
    std::exit(1);
  }
  return std::move(*program);
}

// Functions spread over the program.
std::vector<GoFunction> sample(const GoProgram& program, size_t count) {
  std::vector<GoFunction> functions;
  const auto first = program.find_function("main.main");
  const auto other = program.find_function("runtime.main");
  if (!first || !other) std::exit(1);
  const uint64_t step = (first->vaddr - other->vaddr) / count;
  for (size_t i = 0; i < count; ++i) {
    if (auto function = program.function_at(other->vaddr + i * step)) {
      functions.push_back(std::move(*function));
    }
  }
  return functions;
}

double read_bytes() {
  std::ifstream io("/proc/self/io");
  std::string key;
  double value = 0;
  while (io >> key >> value) {
    if (key == "rchar:") return value;
  }
  return 0;
}

// What attaching to a program takes: opened, 60 functions found by name, 1000 frames.
void BM_GoProgramFromNothing(benchmark::State& state) {
  std::vector<std::string> names;
  std::vector<uint64_t> addresses;
  {
    const Program program = open_program(state);
    for (const GoFunction& function : sample(*program.go, 60)) names.push_back(function.name);
    for (const GoFunction& function : sample(*program.go, 1000)) {
      addresses.push_back(function.vaddr + function.size / 2);
    }
  }
  const double before = read_bytes();
  for ([[maybe_unused]] auto step : state) {
    const Program program = open_program(state);
    for (const std::string& name : names) {
      benchmark::DoNotOptimize(program.go->find_function(name));
    }
    for (const uint64_t address : addresses) {
      benchmark::DoNotOptimize(program.go->frames(address));
    }
  }
  state.counters["read_mb"] =
      benchmark::Counter((read_bytes() - before) / 1e6, benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_GoProgramFromNothing)->Unit(benchmark::kMillisecond);

void BM_GoProgramOpen(benchmark::State& state) {
  for ([[maybe_unused]] auto step : state) benchmark::DoNotOptimize(open_program(state));
}
BENCHMARK(BM_GoProgramOpen)->Unit(benchmark::kMillisecond);

// From a path to what would be probed, as the agent does it.
void BM_GoProgramPlan(benchmark::State& state) {
  const auto kernel = running_kernel();
  if (!kernel) return state.SkipWithError(kernel.error().text.c_str());
  size_t probes = 0;
  for ([[maybe_unused]] auto step : state) {
    const Program program = open_program(state);
    probes = 0;
    for (const Runtime* runtime : all_runtimes()) {
      const auto match = runtime->identify(program);
      if (!match || !*match) continue;
      const auto plan = plan_probes(*runtime, **match, program, *kernel, Mode::kResizes);
      if (!plan) return state.SkipWithError(plan.error().text.c_str());
      probes += plan->probes.size();
    }
  }
  state.counters["probes"] = static_cast<double>(probes);
}
BENCHMARK(BM_GoProgramPlan)->Unit(benchmark::kMillisecond);

void BM_GoProgramFrames(benchmark::State& state) {
  const Program program = open_program(state);
  const std::vector<GoFunction> functions = sample(*program.go, 1000);
  size_t next = 0;
  for ([[maybe_unused]] auto step : state) {
    const GoFunction& function = functions[next++ % functions.size()];
    benchmark::DoNotOptimize(program.go->frames(function.vaddr + function.size / 2));
  }
}
BENCHMARK(BM_GoProgramFrames)->Unit(benchmark::kMicrosecond);

void BM_GoProgramMapTypes(benchmark::State& state) {
  const Program program = open_program(state);
  size_t types = 0;
  for ([[maybe_unused]] auto step : state) types = program.go->map_types(100'000).size();
  state.counters["types"] = static_cast<double>(types);
}
BENCHMARK(BM_GoProgramMapTypes)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mapscope::test

BENCHMARK_MAIN();
