// SPDX-License-Identifier: Apache-2.0
// agent/options.h – what the command line asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/attach/programs.h"
#include "agent/base/log.h"
#include "agent/base/result.h"
#include "agent/discover/selection.h"
#include "agent/doctor.h"
#include "agent/export/event_writer.h"
#include "agent/export/web_server.h"
#include "agent/inspect.h"
#include "agent/plan/probe_plan.h"

namespace mapscope {

enum class AttachChoice { kAuto, kMulti, kPerf };

struct WatchOptions {
  static constexpr double kDefaultBudget = -1;  // 1 % in resizes mode, else 50 %

  std::vector<int> pids;
  Selection selection;
  std::vector<std::string> command;  // `-- CMD ARGS…`: started, watched from its first instruction
  std::string user;                  // who runs it; "": who runs the agent
  bool follow = false;               // what it starts is watched, too
  uint64_t limit_ns = 0;             // 0: until the targets are gone
  Mode mode = Mode::kResizes;
  std::optional<uint64_t> mode_ns;  // then back to resizes; 0: for good; absent: 60 s in races
  double budget = kDefaultBudget;   // what probes may take of a target's CPU time; 0: no limit
  EventFormat events = EventFormat::kText;
  std::string output;                    // file for event lines; "": none
  std::optional<uint64_t> min_stall_ns;  // absent: 1 ms for rows on a terminal, else 0
  bool web_enabled = true;
  WebOptions web;
  std::string cri_socket;  // "": nobody is asked what containers are called
  std::string log_level = "warn";
  LogFormat log_format = LogFormat::kText;
  Limits limits;
  AttachChoice attach = AttachChoice::kAuto;
  // Processes are looked for, and not only those that are named.
  [[nodiscard]] bool discovers() const { return selection.active() || follow; }
  bool go_strict = false;  // refuse a Go newer than those that were checked
  bool sandbox = true;     // give up what a running agent does not need
};

enum class Command { kWatch, kInspect, kDoctor };

struct Options {
  Command command = Command::kWatch;
  WatchOptions watch;
  InspectOptions inspect;
  DoctorOptions doctor;
};

// Parses, or, for --help and --version, prints and says so with `printed`.
struct Parsed {
  Options options;
  bool printed = false;
};

// Errors: kUsage, one line.
Result<Parsed> parse_options(int argc, char** argv);

}  // namespace mapscope
