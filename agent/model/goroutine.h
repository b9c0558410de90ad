// SPDX-License-Identifier: Apache-2.0
// agent/model/goroutine.h – from what BPF read of a g to what people call it.
#pragma once

#include <optional>
#include <string_view>

#include "agent/model/resize.h"
#include "agent/runtimes/map_types.h"
#include "bpf/wire.h"

namespace mapscope {

// g.atomicstatus without the bit of the garbage collector's scan (0x1000); "unknown" for a number
// that no checked version uses. Source: runtime/runtime2.go, Go 1.15 to 1.27.
std::string_view goroutine_status(uint32_t status);

// nullopt where there was none or it could not be read. `programs`: where its first function is
// looked for; nullptr: nowhere.
std::optional<Goroutine> goroutine_of(const ms_goroutine& raw, const MapTypes* programs);

}  // namespace mapscope
