// SPDX-License-Identifier: Apache-2.0
// tests/bench/support/probes.h – what can be attached to a workload, for as long as it is held.
//
// All are in place on return. Errors end the program.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/bench/support/workload.h"

namespace mapscope::test {

using Probe = std::shared_ptr<void>;
using Attach = std::function<Probe(const Workload&)>;

// The built agent with this --mode and no budget.
Attach agent_in_mode(const std::string& mode);
// A BPF program that does nothing, at the very instructions that --mode inserts probes in the
// insert function. Kernel 6.6.
Probe empty_probe(const Workload& workload);
// The usual one-liner.
Probe bpftrace_probe(const Workload& workload);
// How libbpf-tools time a function.
Probe funclatency_probe(const Workload& workload);

}  // namespace mapscope::test
