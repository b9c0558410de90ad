// SPDX-License-Identifier: Apache-2.0
#include "agent/overhead/calibration.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>

#include "agent/overhead/self_probe.h"

// Three functions that differ only in the instruction under the probe. Their own page, so that no
// other code lies behind a breakpoint.
extern "C" {
void mapscope_calibrate_nop();
void mapscope_calibrate_push();
void mapscope_calibrate_step();
}

#define MAPSCOPE_FUNCTION(name, body)                                                   \
  ".p2align 6\n.globl " #name "\n.hidden " #name "\n.type " #name ", @function\n" #name \
  ":\n"                                                                                 \
  ".cfi_startproc\n" body "ret\n.cfi_endproc\n.size " #name ", .-" #name "\n"

__asm__(".pushsection .text.mapscope_calibrate,\"ax\",@progbits\n"  //
        MAPSCOPE_FUNCTION(mapscope_calibrate_nop, "nop\n")
            MAPSCOPE_FUNCTION(mapscope_calibrate_push,
                              "push %rax\n.cfi_adjust_cfa_offset 8\n"
                              "pop %rax\n.cfi_adjust_cfa_offset -8\n")
                MAPSCOPE_FUNCTION(mapscope_calibrate_step, "endbr64\n") ".popsection\n");

namespace mapscope {
namespace {

constexpr std::array<ProbedFunction, 3> kFunctions = {
    mapscope_calibrate_nop,
    mapscope_calibrate_push,
    mapscope_calibrate_step,
};
// Calls in one round. Single-stepping costs up to 0.1 ms in virtual machines.
constexpr std::array<int, kFunctions.size()> kCalls = {100, 100, 20};
// The median is steady even when other work takes the CPU in some rounds; one more warms up.
constexpr int kRounds = 11;

using Times = std::array<double, kFunctions.size()>;  // ns per call

double time_calls(size_t i) {
  const auto begin = std::chrono::steady_clock::now();
  for (int call = 0; call < kCalls[i]; ++call) kFunctions[i]();
  const std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - begin;
  return passed.count() / kCalls[i];
}

// Rounds are interleaved, so that a slow moment of the machine meets all functions alike.
Times measure() {
  std::array<std::array<double, kRounds>, kFunctions.size()> samples{};
  for (size_t i = 0; i < kFunctions.size(); ++i) (void)time_calls(i);
  for (size_t round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < kFunctions.size(); ++i) samples[i][round] = time_calls(i);
  }
  Times medians{};
  for (size_t i = 0; i < kFunctions.size(); ++i) {
    std::nth_element(samples[i].begin(), samples[i].begin() + kRounds / 2, samples[i].end());
    medians[i] = samples[i][kRounds / 2];
  }
  return medians;
}

}  // namespace

double ProbeCosts::of(SiteClass site_class) const {
  switch (site_class) {
    case SiteClass::kEmulated:
      return (nop_ns + push_ns) / 2;
    case SiteClass::kSingleStepped:
      return single_stepped_ns;
  }
  return 0;
}

Result<ProbeCosts> calibrate(AttachMethod method) {
  const Times plain = measure();
  Result<SelfProbe> probe = SelfProbe::attach(kFunctions, method);
  if (!probe) return std::move(probe).error();
  const Times probed = measure();
  const int round = std::accumulate(kCalls.begin(), kCalls.end(), 0);
  const uint64_t calls = static_cast<uint64_t>(round) * (kRounds + 1);
  if (probe->hits() < calls) {
    return Error{ErrorKind::kSystem, "own probes were hit " + std::to_string(probe->hits()) +
                                         " times in " + std::to_string(calls) + " calls"};
  }
  const auto cost = [&](size_t i) { return std::max(0.0, probed[i] - plain[i]); };
  return ProbeCosts{cost(0), cost(1), cost(2)};
}

}  // namespace mapscope
