// SPDX-License-Identifier: Apache-2.0
#include "agent/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstring>

#include "agent/base/log.h"
#include "agent/overhead/self_probe.h"
#include "agent/seccomp_filter.h"

namespace mapscope {
namespace {

constexpr auto kInUse = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);

bool has_permitted(unsigned capability) {
  return capng_have_capability(CAPNG_PERMITTED, capability) != 0;
}

void self_probed() { __asm__ volatile("nop"); }

void drop_capabilities(const std::vector<unsigned>& kept) {
  capng_get_caps_process();
  std::vector<unsigned> held;
  for (const unsigned capability : kept) {
    if (has_permitted(capability)) held.push_back(capability);
  }
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  capng_clear(CAPNG_SELECT_ALL);
  for (const unsigned capability : held) capng_update(CAPNG_ADD, kInUse, capability);
  // Without CAP_SETPCAP the bounding set stays, which matters no more once no_new_privs is set.
  if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
    log_warn("the capability bounding set could not be emptied");
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) log_warn("capabilities could not be dropped");
}

}  // namespace

const std::array<Capability, 4> kNeededCapabilities = {{
    {CAP_BPF, "BPF", true, "no BPF program can be loaded"},
    {CAP_PERFMON, "PERFMON", true, "no probe can be attached and no memory read by BPF"},
    {CAP_SYS_PTRACE, "SYS_PTRACE", false, "processes of other users cannot be watched"},
    {CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH", false,
     "programs that this user may not read cannot be watched"},
}};

bool can_attach(AttachMethod method) {
  const std::array<ProbedFunction, 1> functions = {self_probed};
  return SelfProbe::attach(functions, method).ok();
}

bool attaching_needs_admin(AttachMethod method) {
  capng_get_caps_process();
  if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) == 0) return false;
  void* before = capng_save_state();
  capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
  const bool dropped = capng_apply(CAPNG_SELECT_CAPS) == 0;
  const bool works = dropped && can_attach(method);
  capng_restore_state(&before);
  capng_apply(CAPNG_SELECT_CAPS);
  return !works;
}

void confine(const Confinement& confinement) {
  std::vector<unsigned> kept;
  kept.reserve(kNeededCapabilities.size() + 2);
  for (const Capability& capability : kNeededCapabilities) kept.push_back(capability.number);
  if (attaching_needs_admin(confinement.method)) {
    kept.push_back(CAP_SYS_ADMIN);
    log_info("CAP_SYS_ADMIN is kept: this kernel wants it for probes by perf events");
  }
  // The command may have changed its user.
  if (confinement.child != 0) kept.push_back(CAP_KILL);
  drop_capabilities(kept);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    log_warn("no_new_privs could not be set: {}", std::strerror(errno));
  if (auto filtered = load_seccomp_filter(confinement.child, confinement.asks_runtime); !filtered)
    log_warn("{}", filtered.error().text);
}

}  // namespace mapscope
