// SPDX-License-Identifier: Apache-2.0
#include "agent/commands.h"

#include <cstdio>

#include "agent/agent.h"
#include "agent/child.h"
#include "agent/export/text.h"
#include "agent/options.h"

namespace mapscope {
namespace {

int tell(const Error& error) {
  std::fprintf(stderr, "agent: %s\n", printable(error.text).c_str());
  if (error.label == Child::kNotFound) return 127;
  if (error.label == Child::kNotExecutable) return 126;
  return error.kind == ErrorKind::kUsage ? 2 : 1;
}

int run_watch(const WatchOptions& options) {
  if (auto started = start_log(options.log_level, options.log_format); !started)
    return tell(started.error());
  const Result<int> ended = watch_targets(options);
  return ended ? *ended : tell(ended.error());
}

}  // namespace

int run_command(int argc, char** argv) {
  const auto parsed = parse_options(argc, argv);
  if (!parsed) return tell(parsed.error());
  if (parsed->printed) return 0;
  switch (parsed->options.command) {
    case Command::kInspect:
      return run_inspect(parsed->options.inspect);
    case Command::kDoctor:
      return run_doctor(parsed->options.doctor);
    case Command::kWatch:
      return run_watch(parsed->options.watch);
  }
  return 2;
}

}  // namespace mapscope
