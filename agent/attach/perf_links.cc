// SPDX-License-Identifier: Apache-2.0
#include "agent/attach/perf_links.h"

#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/libbpf_ptr.h"
#include "agent/base/unique_fd.h"

namespace mapscope {
namespace {

int quiet(libbpf_print_level /*level*/, const char* /*format*/, va_list /*arguments*/) { return 0; }

}  // namespace

// The attachment itself is to fail: the event is none that a uprobe's program can belong to.
void learn_perf_links(const Programs& programs) {
  perf_event_attr attr{};
  attr.size = sizeof(attr);
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_DUMMY;
  const UniqueFd event(
      static_cast<int>(syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  bpf_program* program = programs.program(MS_PROBE_BEGIN);
  if (!event.valid() || program == nullptr) return;
  const libbpf_print_fn_t before = libbpf_set_print(quiet);
  const LinkPtr link(bpf_program__attach_perf_event(program, event.get()));
  libbpf_set_print(before);
}

}  // namespace mapscope
