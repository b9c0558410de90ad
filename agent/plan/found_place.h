// SPDX-License-Identifier: Apache-2.0
// agent/plan/found_place.h – puts what the planner found in place of MS_REG_FOUND.
//
// Pure.
#pragma once

#include <cstdint>
#include <span>

#include "agent/binary/go_program.h"
#include "agent/plan/site.h"
#include "bpf/wire.h"

namespace mapscope {

// Whether a field reads MS_REG_FOUND.
bool asks_for_found(const ms_descriptor& descriptor);

// Whether every such field can be read of a value there: one on the stack costs a dereference more.
bool can_reach(const ms_descriptor& descriptor, const Place& place);

// REQUIRES: can_reach().
void put_place(const Place& place, ms_descriptor* descriptor);

// Whether an address lies in one of the ranges; in no range at all is everywhere.
bool is_inside(std::span<const GoInlinedCode> within, uint64_t vaddr);

}  // namespace mapscope
