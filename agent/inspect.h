// SPDX-License-Identifier: Apache-2.0
// agent/inspect.h – `agent inspect BINARY`: what would be probed, where, why, at what price, and
// what is missing. Reads one file, needs no privilege and touches no process.
//
// Exit status: 0 a room recognised the binary and a plan was made; 1 none did, or not completely,
// which is a finding and is printed as one; 2 the file does not exist or the command line is wrong.
//
// --json prints one object; absent members are unknown, addresses are hex strings:
//   {"binary":"./store","build_id":"589e…","kernel":"6.18","mode":"resizes","supported":true,
//    "probe_cost_ns":{"nop":690,"push":810,"single_stepped":10400},
//    "go":{"version":"go1.23.5","profile":"default.pgo","settings_known":true,
//      "experiments":["noswissmap"],
//      "goroutines":{"g":"r14","status":152,"goid":160,"start_pc":304,"m_id":232,"m_curg":192,"m_p":208}},
//    "rooms":[{"runtime":"ROOM","version":"…","unverified":true,"partial":false,
//      "probes":[{"kind":"begin","symbol":"mapscope_map_grow","site":"entry",
//        "function":"mapscope_map_grow","offset":0,"vaddr":"0x1180","file_offset":"0x1180",
//        "instruction":"nop","class":"emulated","why":"a resize begins",
//        "why_here":"nop at entry"}],
//      "missing":[{"kind":"fatal","symbol":"mapscope_map_fatal","site":"entry","reason":"…"}],
//      "unseen":[{"kind":"begin","symbol":"runtime.hashGrow","site":"entry",
//        "function":"runtime.mapassign","reason":"…"}],
//      "absent":["mapscope_map_insert"]}],
//    "refused":[{"runtime":"ROOM","reason":"…"}]}
// `probe_cost_ns` is there when it could be measured, as `agent doctor` does.
// `function` holds the probed instruction: `symbol`, or what the compiler put a copy of it into.
// `unverified` is there for a Go newer than those that were checked. `settings_known` is false
// where nothing says how the program was built; it may have a profile then. `unseen` are copies
// without a probe; with one of them the room is `partial`. `absent` are functions that the program
// does not have, by which nothing is lost. `refused` rooms recognised the binary but cannot probe
// it. `go` is there for Go programs; in place of `goroutines` it may have `goroutines_unknown`, the
// reason why goroutines will not be told apart. For a binary that is not supported, after "mode"
// (and "go"):
//   "supported":false,"reason":"…","looked_for":[{"runtime":"ROOM","symbols":["…"]}]
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/go_program.h"
#include "agent/overhead/calibration.h"
#include "agent/plan/probe_plan.h"

namespace mapscope {

struct InspectOptions {
  std::string path;
  std::string kernel;  // a release such as "6.1"; "": the running one
  Mode mode = Mode::kResizes;
  bool json = false;
};

// A room that recognised the binary but cannot probe it.
struct RefusedRoom {
  const Runtime* runtime = nullptr;
  std::string reason;
};

// Of a Go program.
struct GoFacts {
  GoBuild build;
  std::optional<GoroutineLayout> goroutines;
  std::string goroutines_unknown;  // why, without `goroutines`
};

// What inspecting found.
struct Inspection {
  std::string path;
  std::string build_id;
  KernelFacts kernel;
  Mode mode = Mode::kResizes;
  bool has_symbols = true;
  std::optional<ProbeCosts> costs;  // measured here; absent: somebody else's kernel, or no right to
  std::optional<GoFacts> go;
  std::string unsupported;  // why there is no plan; "" when there is one
  std::vector<ProbePlan> plans;
  std::vector<RefusedRoom> refused;
};

// Errors: the file cannot be opened, or options.kernel is no release.
Result<Inspection> inspect(const InspectOptions& options);

// Lines of at most 100 columns, as far as symbols and reasons allow; ends with a newline.
std::string inspection_text(const Inspection& inspection);
// One line; ends with a newline.
std::string inspection_json(const Inspection& inspection);

// Prints to standard output, errors to standard error; returns the exit status.
int run_inspect(const InspectOptions& options);

}  // namespace mapscope
