// SPDX-License-Identifier: Apache-2.0
// agent/privileges.h – what the agent needs of the kernel, and giving up the rest.
//
// The one list of capabilities: confine() keeps them, `agent doctor` asks for them, README explains
// them. Found by taking each away and looking at what fails.
#pragma once

#include <sys/types.h>

#include <array>
#include <string_view>
#include <vector>

#include "agent/attach/programs.h"
#include "agent/base/result.h"

namespace mapscope {

struct Capability {
  unsigned number;  // CAP_*
  std::string_view name;
  // Nothing works without it, or only some targets do not.
  bool required;
  // "without it …"
  std::string_view lost;
};

// For every mode. CAP_SYS_ADMIN stands in for the first two.
extern const std::array<Capability, 4> kNeededCapabilities;

// Attaches a probe to this process in this way.
bool can_attach(AttachMethod method);
// Whether attaching probes in this way fails here without CAP_SYS_ADMIN: tried, not looked up. Some
// kernels want it for perf uprobes. False where this process does not have it. Takes the capability
// from the calling thread for a moment.
bool attaching_needs_admin(AttachMethod method);

struct Confinement {
  AttachMethod method = AttachMethod::kMulti;
  pid_t child = 0;            // the command that the agent started and will end; 0: none
  bool asks_runtime = false;  // connects to a Unix socket, again and again
};

// From here on this process and all its later threads can do only what a running agent does: the
// other capabilities are gone from every set, no program can be executed, nothing written to the
// file system by open(2), no new socket (or Unix ones only), and each system call that is not on
// the list fails with EPERM. Processes that were started before are not affected. Where the kernel
// refuses a part of it, that is logged and the rest is done.
// REQUIRES: this process has one thread.
void confine(const Confinement& confinement);

}  // namespace mapscope
