// SPDX-License-Identifier: Apache-2.0
// agent/inspect_words.h – the words of `agent inspect`, the same in its text and its JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/plan/probe_plan.h"

namespace mapscope {

// Of an ms_probe_kind.
std::string_view kind_name(uint8_t kind);
std::string_view site_name(Site site);
std::string_view mode_name(Mode mode);
// "6.18"
std::string kernel_text(const KernelFacts& kernel);
// Functions that the program does not have, each once.
std::vector<std::string_view> absent_functions(const ProbePlan& plan);

}  // namespace mapscope
