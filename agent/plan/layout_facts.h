// SPDX-License-Identifier: Apache-2.0
// agent/plan/layout_facts.h – whether the code of a program works on a layout as a runtime takes
// it.
//
// It proves that the function named accesses that member, in that size, of the object that its
// argument points to; not that a later version means the same by it. Which values are possible is
// checked at every record (Runtime::normalize).
//
// Pure.
#pragma once

#include <span>

#include "agent/base/result.h"
#include "agent/binary/program.h"
#include "agent/runtimes/runtime.h"

namespace mapscope {

// Errors: kUnsupported, label go_layout; the text says which fact does not hold, and where.
// REQUIRES: program.go.
Status prove_layout(const Program& program, std::span<const LayoutFact> facts);

}  // namespace mapscope
