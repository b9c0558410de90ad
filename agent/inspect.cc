// SPDX-License-Identifier: Apache-2.0
#include "agent/inspect.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "agent/base/unique_fd.h"
#include "agent/binary/program.h"
#include "agent/export/text.h"

namespace mapscope {
namespace {

// Reasons that come from the file begin with its name, which is said anyway.
std::string without_name(const std::string& reason, const std::string& name) {
  const std::string prefix = name + ": ";
  return reason.starts_with(prefix) ? reason.substr(prefix.size()) : reason;
}

// Asks every room; fills in the plans or why there are none.
void consult_rooms(const Program& program, Inspection* out) {
  for (const Runtime* runtime : all_runtimes()) {
    Result<std::optional<Match>> match = runtime->identify(program);
    if (match && !*match) continue;
    Result<ProbePlan> plan =
        match ? plan_probes(*runtime, **match, program, out->kernel, out->mode) : match.error();
    if (plan) {
      out->plans.push_back(std::move(*plan));
    } else {
      out->refused.push_back({runtime, without_name(plan.error().text, out->path)});
    }
  }
  if (!out->plans.empty()) return;
  if (!out->refused.empty()) {
    out->unsupported = out->refused.front().reason;
  } else {
    out->unsupported =
        out->has_symbols ? "no known map" : "no known map, and the file is stripped of its symbols";
  }
}

GoFacts go_facts(const Program& program) {
  GoFacts facts{program.go->build(), {}, ""};
  Result<GoroutineLayout> layout = goroutine_layout(program.elf, *program.go);
  if (layout) {
    facts.goroutines = *layout;
  } else {
    facts.goroutines_unknown = without_name(layout.error().text, program.elf.name());
  }
  return facts;
}

// Where this user may; what the kernel library says of it is not what was asked for.
void measure(Inspection& out) {
  if (::geteuid() != 0) return;
  auto costs =
      calibrate(out.kernel.has_uprobe_multi() ? AttachMethod::kMulti : AttachMethod::kPerf);
  if (costs) out.costs = *costs;
}

}  // namespace

Result<Inspection> inspect(const InspectOptions& options) {
  Inspection out;
  out.path = options.path;
  out.mode = options.mode;
  Result<KernelFacts> kernel =
      options.kernel.empty() ? running_kernel() : parse_kernel(options.kernel);
  if (!kernel) return std::move(kernel).error();
  out.kernel = *kernel;
  // O_NONBLOCK: a FIFO must not make this wait.
  const UniqueFd fd(open(options.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return system_error(options.path, errno);
  const Result<Program> program = Program::open(fd, options.path);
  if (!program) {
    if (program.error().kind == ErrorKind::kSystem) return program.error();
    out.unsupported = without_name(program.error().text, options.path);
    return out;
  }
  out.build_id = program->elf.build_id();
  out.has_symbols = program->go != nullptr || program->elf.function_count() > 0;
  if (program->go != nullptr) out.go = go_facts(*program);
  consult_rooms(*program, &out);
  return out;
}

int run_inspect(const InspectOptions& options) {
  Result<Inspection> found = inspect(options);
  if (!found) {
    std::fprintf(stderr, "agent: %s\n", printable(found.error().text).c_str());
    const ErrorKind kind = found.error().kind;
    return kind == ErrorKind::kUsage || kind == ErrorKind::kNotFound ? 2 : 1;
  }
  if (found->unsupported.empty() && options.kernel.empty()) measure(*found);
  const std::string text = options.json ? inspection_json(*found) : inspection_text(*found);
  std::fputs(text.c_str(), stdout);
  return found->unsupported.empty() ? 0 : 1;
}

}  // namespace mapscope
