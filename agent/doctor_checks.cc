// SPDX-License-Identifier: Apache-2.0
#include "agent/doctor_checks.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <utility>

#include "agent/base/unique_fd.h"
#include "agent/overhead/self_probe.h"
#include "agent/privileges.h"

namespace mapscope {
namespace {

constexpr const char* kRunAsRoot =
    "run it as root, or with CAP_BPF and CAP_PERFMON, outside seccomp filters";
constexpr const char* kVmlinuxBtf = "/sys/kernel/btf/vmlinux";
constexpr const char* kParanoid = "/proc/sys/kernel/perf_event_paranoid";

Check ok(std::string name, std::string finding) {
  return {std::move(name), CheckState::kOk, std::move(finding), ""};
}
Check warn(std::string name, std::string finding, std::string remedy) {
  return {std::move(name), CheckState::kWarn, std::move(finding), std::move(remedy)};
}
Check fail(std::string name, std::string finding, std::string remedy) {
  return {std::move(name), CheckState::kFail, std::move(finding), std::move(remedy)};
}

// A refusal for want of privilege is mended otherwise than one for want of a feature.
Check fail_with(std::string name, const Error& error, const char* remedy) {
  return fail(std::move(name), error.text,
              error.kind == ErrorKind::kPermission ? kRunAsRoot : remedy);
}

std::optional<std::string> first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

bool at_least(const KernelFacts& kernel, int major, int minor) {
  return std::pair(kernel.major, kernel.minor) >= std::pair(major, minor);
}

void mapscope_doctor_probed() { __asm__ volatile("nop"); }

// Attaches to a function of this process, calls it once, and expects one hit.
Status hit_own_probe(AttachMethod method) {
  // Through a volatile pointer: the call must be to the function whose address was probed.
  void (*volatile function)() = mapscope_doctor_probed;
  const std::array<ProbedFunction, 1> functions = {function};
  const Result<SelfProbe> probe = SelfProbe::attach(functions, method);
  if (!probe) return probe.error();
  function();
  if (probe->hits() == 0)
    return Error{ErrorKind::kUnsupported, "a probe on an own function was not hit"};
  return Done{};
}

int quiet(libbpf_print_level /*level*/, const char* /*format*/, va_list /*arguments*/) { return 0; }

}  // namespace

Check check_kernel(const std::string& release) {
  const Result<KernelFacts> kernel = parse_kernel(release);
  if (!kernel) return fail("kernel", kernel.error().text, "run a Linux kernel of 5.15 or newer");
  if (!at_least(*kernel, 5, 15)) {
    return fail("kernel", release + " has no cookies for uprobes (5.15)",
                "run a kernel of 6.1 or newer");
  }
  if (!at_least(*kernel, 6, 1)) {
    return warn("kernel", release + " is older than what is tested (6.1)",
                "run a kernel of 6.1 or newer");
  }
  return ok("kernel", release);
}

Check check_capabilities() {
  if (capng_get_caps_process() != 0) return fail("capabilities", "cannot be read", "mount /proc");
  std::string without;
  bool works = true;
  for (const Capability& wanted : kNeededCapabilities) {
    // SYS_ADMIN implies the first two.
    const bool implied =
        wanted.required && capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) != 0;
    if (implied || capng_have_capability(CAPNG_EFFECTIVE, wanted.number) != 0) continue;
    without += fmt::format("{}{}", without.empty() ? "" : ", ", wanted.name);
    works = works && !wanted.required;
  }
  if (without.empty())
    return ok("capabilities",
              geteuid() == 0 ? "root with all that is needed" : "all that is needed");
  const std::string finding = fmt::format("user {} is without {}", geteuid(), without);
  if (!works)
    return fail("capabilities", finding,
                "run it as root: sudo agent doctor; or grant them (below)");
  return warn("capabilities", finding + ": only some processes can be watched",
              "run it as root, or grant them (below)");
}

Check check_btf() {
  if (access(kVmlinuxBtf, R_OK) == 0) return ok("btf", std::string(kVmlinuxBtf) + " is readable");
  return fail(
      "btf", system_error(kVmlinuxBtf, errno).text,
      "run a kernel with CONFIG_DEBUG_INFO_BTF (all current distributions), with /sys mounted");
}

Check check_bpf() {
  const Result<CountingProgram> program = CountingProgram::load(AttachMethod::kPerf);
  if (program) return ok("bpf", "a program and a map were loaded");
  return fail_with("bpf", program.error(), "run a kernel with CONFIG_BPF_SYSCALL");
}

Check check_ring_buffer() {
  const UniqueFd map(
      bpf_map_create(BPF_MAP_TYPE_RINGBUF, "mapscope_ring", 0, 0, 1U << 16U, nullptr));
  if (map.valid()) return ok("ring_buffer", "one was created");
  return fail_with("ring_buffer", system_error("bpf(BPF_MAP_CREATE) of a ring buffer", errno),
                   "run a kernel of 5.15 or newer");
}

Check check_scheduler() {
  const libbpf_print_fn_t before = libbpf_set_print(quiet);
  const int type_id = libbpf_find_vmlinux_btf_id("sched_switch", BPF_TRACE_RAW_TP);
  libbpf_set_print(before);
  if (type_id < 0) {
    return fail_with("scheduler", system_error("BTF of sched_switch", -type_id),
                     "run a kernel with CONFIG_DEBUG_INFO_BTF");
  }
  std::array<bpf_insn, 2> code{};  // r0 = 0; exit
  code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  code[1].code = BPF_JMP | BPF_EXIT;
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_TRACE_RAW_TP;
  options.attach_btf_id = static_cast<uint32_t>(type_id);
  const UniqueFd program(bpf_prog_load(BPF_PROG_TYPE_TRACING, "mapscope_sched", "GPL", code.data(),
                                       code.size(), &options));
  if (program.valid()) return ok("scheduler", "a program for sched_switch was loaded");
  return fail_with("scheduler", system_error("bpf(BPF_PROG_LOAD) for sched_switch", errno),
                   "run a kernel with CONFIG_DEBUG_INFO_BTF and BPF trampolines");
}

Check check_uprobe_perf() {
  const Status hit = hit_own_probe(AttachMethod::kPerf);
  if (hit) return ok("uprobe_perf", "a probe on an own function was hit");
  return fail_with("uprobe_perf", hit.error(), "run a kernel with CONFIG_UPROBE_EVENTS");
}

Check check_uprobe_multi(const std::string& release) {
  const Result<KernelFacts> kernel = parse_kernel(release);
  if (kernel && !kernel->has_uprobe_multi()) {
    return warn("uprobe_multi", "not before 6.6: detaching takes about 0.1 s a probe",
                "run a kernel of 6.6 or newer");
  }
  const Status hit = hit_own_probe(AttachMethod::kMulti);
  if (hit) return ok("uprobe_multi", "a probe on an own function was hit");
  return fail_with("uprobe_multi", hit.error(), "use --attach-method perf");
}

Check check_lockdown() {
  const std::optional<std::string> line = first_line("/sys/kernel/security/lockdown");
  if (!line) return ok("lockdown", "not in this kernel");
  if (line->find("[confidentiality]") == std::string::npos) return ok("lockdown", *line);
  return fail("lockdown", "confidentiality: BPF may not read memory",
              "boot with lockdown=integrity or none");
}

Check check_perf_paranoid() {
  const std::optional<std::string> line = first_line(kParanoid);
  if (!line)
    return warn("perf_paranoid", system_error(kParanoid, errno).text,
                "run a kernel with perf events");
  return ok("perf_paranoid", *line + ": no matter with CAP_PERFMON");
}

Check check_jit() {
  const std::optional<std::string> line = first_line("/proc/sys/net/core/bpf_jit_enable");
  if (line && *line == "0") {
    return warn("jit", "off: probes are slower", "sysctl net.core.bpf_jit_enable=1");
  }
  return ok("jit", line ? "on" : "cannot be seen from here");
}

Check check_go() {
  return ok("go",
            "1.15 to 1.27 are checked; newer ones are watched as unverified, where they prove to "
            "keep their maps as 1.27 does");
}

}  // namespace mapscope
