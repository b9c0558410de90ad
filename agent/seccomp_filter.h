// SPDX-License-Identifier: Apache-2.0
// agent/seccomp_filter.h – the system calls that a running agent makes, and no others.
#pragma once

#include <sys/types.h>

#include "agent/base/result.h"

namespace mapscope {

// For all threads of this process and those to come, for good. What is not on the list fails with
// EPERM. `child`: the one process that may be sent signals; 0: none.
// `may_connect`: makes Unix sockets and connects; where to, a filter cannot see.
// Errors: kSystem, kUnsupported when the kernel has no seccomp filters; then none is in force.
Status load_seccomp_filter(pid_t child, bool may_connect);

}  // namespace mapscope
