// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/go_classic/probes.h – the probes of the room, by version.
#pragma once

#include <span>

#include "agent/binary/go_program.h"
#include "agent/runtimes/runtime.h"

namespace mapscope::go_classic {

// REQUIRES: 1.15 to 1.25.
std::span<const ProbeSpec> probes_of(const GoVersion& version);

}  // namespace mapscope::go_classic
