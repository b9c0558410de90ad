// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/support/probes.h"

#include <bpf/bpf.h>
#include <fcntl.h>

#include <vector>

#include "agent/binary/program.h"
#include "agent/plan/probe_plan.h"
#include "tests/support/child_process.h"
#include "tests/support/live_agent.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

// BPF_TRACE_UPROBE_MULTI of include/uapi/linux/bpf.h since 6.6.
constexpr auto kTraceUprobeMulti = static_cast<bpf_attach_type>(48);

// Where the agent would probe the insert function.
std::vector<unsigned long> insert_offsets(const Workload& workload) {
  const UniqueFd file(::open(workload.path().c_str(), O_RDONLY | O_CLOEXEC));
  const auto program = Program::open(file, workload.path());
  const auto kernel = running_kernel();
  if (!program || !kernel) give_up("cannot read " + workload.path());
  std::vector<unsigned long> offsets;
  for (const Runtime* runtime : all_runtimes()) {
    const auto match = runtime->identify(*program);
    if (!match || !*match) continue;
    const auto plan = plan_probes(*runtime, **match, *program, *kernel, Mode::kInserts);
    if (!plan) give_up(plan.error().text);
    for (const PlannedProbe& probe : plan->probes) {
      if (probe.spec->mode == Mode::kInserts && probe.function == workload.insert())
        offsets.push_back(probe.file_offset);
    }
  }
  if (offsets.empty()) give_up("no probe of inserts is planned for " + workload.path());
  return offsets;
}

class EmptyProbe {
 public:
  explicit EmptyProbe(const Workload& workload) {
    // r0 = 0; exit
    const bpf_insn nothing[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
                                {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    bpf_prog_load_opts load{};
    load.sz = sizeof(load);
    load.expected_attach_type = kTraceUprobeMulti;
    program_ = UniqueFd(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty", "GPL", nothing, 2, &load));
    const std::string path = workload.path();
    const std::vector<unsigned long> offsets = insert_offsets(workload);
    bpf_link_create_opts create{};
    create.sz = sizeof(create);
    create.uprobe_multi.path = path.c_str();
    create.uprobe_multi.offsets = offsets.data();
    create.uprobe_multi.cnt = static_cast<uint32_t>(offsets.size());
    create.uprobe_multi.pid = static_cast<uint32_t>(workload.pid());
    link_ = UniqueFd(bpf_link_create(program_.get(), 0, kTraceUprobeMulti, &create));
    if (!program_.valid() || !link_.valid())
      give_up("cannot attach an empty probe (root, and kernel 6.6, are needed)");
  }

 private:
  UniqueFd program_;
  UniqueFd link_;
};

// Runs until it is let go of; `words` say that all is in place.
Probe start_tracer(const std::vector<std::string>& command, const std::string& words) {
  auto process = std::make_shared<ChildProcess>(command);
  std::string seen;
  const bool attached = poll_until([&] {
    seen += process->out().text();
    return seen.find(words) != std::string::npos || !process->running();
  });
  if (!attached || !process->running())
    give_up(command.front() + " did not attach: " + process->err().text());
  return process;
}

}  // namespace

Attach agent_in_mode(const std::string& mode) {
  return [mode](const Workload& workload) -> Probe {
    return std::make_shared<LiveAgent>(std::vector<std::string>{
        "--pid", std::to_string(workload.pid()), "--mode", mode, "--events", "none"});
  };
}

Probe empty_probe(const Workload& workload) { return std::make_shared<EmptyProbe>(workload); }

Probe bpftrace_probe(const Workload& workload) {
  const std::string script = "BEGIN { printf(\"attached\\n\"); } uprobe:" + workload.path() + ":" +
                             workload.insert() + " { @start[tid] = nsecs; }";
  return start_tracer({"bpftrace", "-p", std::to_string(workload.pid()), "-e", script},
                      "attached\n");
}

Probe funclatency_probe(const Workload& workload) {
  return start_tracer({"stdbuf", "-oL", "funclatency", "-p", std::to_string(workload.pid()),
                       ":" + workload.insert()},
                      "Tracing ");
}

}  // namespace mapscope::test
