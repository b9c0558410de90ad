// SPDX-License-Identifier: Apache-2.0
// agent/plan/site.h – finds the instructions of one function where a probe is correct, and takes
// the cheapest.
//
// choose_entry() and choose_exits() are for any code; what is peculiar to Go stands in go_entry.h,
// pointer_cleared.h, last_check.h and argument_place.h.
// Pure.   Errors: kUnsupported, the text says what stands in the way ("ends in a jump to another
// function").
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/instruction.h"
#include "agent/plan/probe_plan.h"

namespace mapscope {

// Where a value is at an instruction: in a register, or in memory at the stack pointer + offset.
struct Place {
  Register reg = Register::kNone;  // kNone: on the stack
  int32_t stack_offset = 0;
};

struct ChosenSite {
  const Instruction* instruction = nullptr;  // owned by the FunctionCode
  SiteClass site_class = SiteClass::kSingleStepped;
  std::string_view why;             // static storage
  bool is_return_on_top = true;     // *(sp) is the return address
  uint8_t skip_eflags = 0;          // see ms_descriptor
  std::optional<Place> found = {};  // what stands for MS_REG_FOUND
};

// One site that is passed once per call, before anything of the caller's is changed.
Result<ChosenSite> choose_entry(const FunctionCode& function, const KernelFacts& kernel);

// One site for every return instruction: that or the nop before it. Never empty.
Result<std::vector<ChosenSite>> choose_exits(const FunctionCode& function,
                                             const KernelFacts& kernel);

}  // namespace mapscope
