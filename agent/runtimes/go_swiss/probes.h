// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_swiss/probes.h – the probes of the room, by version.
#pragma once

#include <span>

#include "agent/binary/go_program.h"
#include "agent/runtimes/runtime.h"

namespace mapscope::go_swiss {

// REQUIRES: 1.24 or later; what is newer than 1.27 gets what 1.27 has.
std::span<const ProbeSpec> probes_of(const GoVersion& version);

}  // namespace mapscope::go_swiss
