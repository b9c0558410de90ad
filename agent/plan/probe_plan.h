// SPDX-License-Identifier: Apache-2.0
// agent/plan/probe_plan.h – decides, per probe of a room, at which instruction of a binary it goes,
// and why.
//
// Pure: reads the image, touches no process and no kernel. A site is planned only when its bytes
// prove it correct (argument registers untouched and the stack pointer as at entry, no jump leading
// back to it); of the correct ones the cheapest for the kernel is taken. That needs the whole
// function: a symbol with a size, bytes that decode, no jump into the middle of an instruction. For
// kExit also no jump out of the function and no computed one, which would be ways out without a
// probe (exceptions and longjmp remain such ways). Prices are classes, not promises: `agent doctor`
// measures them here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/elf_image.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

// What of the kernel the plan and the attachment depend on.
struct KernelFacts {
  int major = 0;
  int minor = 0;
  // Kernel 6.6: one link for many sites (`uprobe_multi`).
  [[nodiscard]] bool has_uprobe_multi() const { return major > 6 || (major == 6 && minor >= 6); }
  // Kernel 6.18: emulates nops of several bytes, too.
  [[nodiscard]] bool emulates_long_nops() const { return major > 6 || (major == 6 && minor >= 18); }
};

// Of the running kernel (uname).
Result<KernelFacts> running_kernel();
// "6.1" or "6.18.3-whatever".
Result<KernelFacts> parse_kernel(std::string_view release);

// How the kernel gets past the probed instruction; cheapest first.
enum class SiteClass {
  kEmulated,       // nop, push, jump, call: emulated after one trap
  kSingleStepped,  // anything else: two traps
};
// emulated, single_stepped.
std::string_view to_string(SiteClass site_class);

struct PlannedProbe {
  const ProbeSpec* spec = nullptr;  // static storage
  ms_descriptor descriptor{};  // spec's, with what the site decides: found register, flags to skip
  std::string function;        // that holds the instruction: spec->symbol, or where it was inlined
  uint64_t vaddr = 0;
  uint64_t file_offset = 0;
  uint64_t symbol_offset = 0;  // from the start of `function`
  std::vector<std::byte>
      bytes;  // of the instruction; what must still be there when the probe is attached
  std::string instruction;  // disassembled, e.g. "push rbp"
  SiteClass site_class = SiteClass::kSingleStepped;
  std::string why_here;  // one phrase
};

struct MissingProbe {
  const ProbeSpec* spec = nullptr;
  std::string reason;
  bool absent = false;  // the program has no such function or call: nothing is lost
};

// A copy of a probed function inside another that no probe covers: what it does goes unseen.
struct UnseenCopy {
  const ProbeSpec* spec = nullptr;
  std::string host;
  std::string reason;
};

struct ProbePlan {
  const Runtime* runtime = nullptr;
  Match match;
  std::string image_name;
  std::string build_id;
  std::vector<PlannedProbe>
      probes;  // in the room's order, every required one; a kExit spec has one per way out
  std::vector<MissingProbe> missing;  // optional ones only
  std::vector<UnseenCopy> unseen;     // not empty: the plan is partial
};

// Errors: kUnsupported when a required probe has no provable site; the text names the symbol and
// what was found there.
Result<ProbePlan> plan_probes(const Runtime& runtime, const Match& match, const Program& program,
                              const KernelFacts& kernel, Mode mode);

}  // namespace mapscope
