// SPDX-License-Identifier: Apache-2.0
// agent/model/resize.h – the nouns that the model hands to symbolize and export. Plain values.
//
// Times are CLOCK_MONOTONIC ns, sizes in slots unless *_bytes; an absent optional is unknown, never
// 0.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/shared_text.h"
#include "agent/runtimes/reserve.h"
#include "bpf/wire.h"

namespace mapscope {

class LoadedPrograms;
struct ProgramInfo;
struct Runtime;

enum class TargetState { kAttached, kUnsupported, kGone };
std::string_view to_string(TargetState state);

// A process that the agent watches (or could not watch). `id` is unique in one run; a pid is not.
// What is true of one of its files only is said of the first that is probed, its executable if that
// is; a record is understood by the file that it comes from.
struct Target {
  uint32_t id = 0;
  int pid = 0;
  uint64_t start_ticks = 0;
  std::string comm;
  std::string exe;
  std::string build_id;
  std::string container_id;  // "" in none
  std::string pod_uid;
  const Runtime* runtime = nullptr;  // static storage; nullptr when unsupported
  std::string version;
  bool unverified = false;      // newer than what was checked; what it had to prove, it proved
  std::string_view language{};  // "" where it may be any that is compiled; static storage
  std::vector<std::shared_ptr<const ProgramInfo>> programs;  // all that are probed
  std::shared_ptr<LoadedPrograms> loaded;  // its Go files; nullptr: none, or gone for long
  // What the probes cannot see, one line each.
  std::vector<std::string> unseen;
  TargetState state = TargetState::kAttached;
  uint32_t probes = 0;  // attached
  std::string reason;   // why unsupported
};

struct Frame {
  uint64_t address = 0;   // in the target
  SharedText function;    // demangled; "" unknown
  SharedText file;        // "" unknown
  uint32_t line = 0;      // 0 unknown
  SharedText module;      // path of the mapped file
  bool map_code = false;  // belongs to the map implementation itself
  // In the module's own numbering: what addr2line takes, the same in every run; 0 unknown.
  uint64_t module_address = 0;
};

// Innermost frame first. `site` is the index of the first frame outside the map's own code, `own`
// that of the first at or behind it in the program's own module (Go's main module: neither the
// standard library nor a dependency); -1 unknown.
struct Stack {
  std::vector<Frame> frames;
  int site = -1;
  int own = -1;
  bool whole = true;  // false: only the frames of the call site, which were never sampled
  [[nodiscard]] const Frame* site_frame() const {
    return site < 0 ? nullptr : &frames[static_cast<size_t>(site)];
  }
  [[nodiscard]] const Frame* own_frame() const {
    return own < 0 ? nullptr : &frames[static_cast<size_t>(own)];
  }
};

// Equal stacks of one target are one object, which symbolize's StackTable lets go of when it needs
// the bytes: whoever keeps one for long keeps a weak pointer.
using StackPtr = std::shared_ptr<const Stack>;
// Of a stack that somebody else owns, and for longer.
inline StackPtr borrow(const Stack& stack) { return {StackPtr(), &stack}; }

struct ThreadTimes {
  std::array<uint64_t, MS_THREAD_STATES>
      state_ns{};  // indexed by ms_thread_state; sums to the wall time
  uint32_t minor_faults = 0;
  uint32_t major_faults = 0;
  uint32_t switches = 0;
};

struct Blocked {
  uint32_t threads = 0;
  uint64_t ns = 0;  // thread-time
};

// The goroutine at a probe. Offsets differ between Go versions; where they are not known there is
// none.
struct Goroutine {
  uint64_t id = 0;          // the number that the runtime prints
  std::string_view status;  // running, syscall, ...; static storage
  uint64_t stack_lo = 0;    // bounds of its stack; it moves when it grows
  uint64_t stack_hi = 0;
  int64_t m = 0;                 // the runtime's number of its thread
  std::string start_function{};  // "" unknown
};

struct Resize {
  const Target* target = nullptr;    // owned by the agent's target table; outlives the resize
  const Runtime* runtime = nullptr;  // the room whose probe saw it; static storage
  uint32_t tid = 0;                  // began it
  uint32_t end_tid = 0;
  std::string_view
      comm;  // of the thread at begin; points into the record, valid while it is handled
  uint64_t map_addr = 0;
  std::string_view map_type;  // likewise; "" unknown
  std::string_view kind;      // static storage
  std::string_view trigger;   // "" unknown
  std::optional<uint64_t> old_slots;
  std::optional<uint64_t> new_slots;
  std::optional<uint64_t> entries;
  std::optional<uint64_t> new_bytes;  // what the allocator took for all that it made
  std::optional<uint64_t> old_bytes;  // and for what that replaces
  uint64_t begin_ns = 0;
  std::optional<uint64_t> wall_ns;   // absent for a point
  std::optional<uint64_t> stall_ns;  // what one insert paid; absent when not probed
  // Sums to the wall time; with thread_of_stall, to the stall: in Go a thread runs other goroutines
  // too, and the rest of an incremental growth is done by whoever writes to the map.
  std::optional<ThreadTimes> thread;
  bool thread_of_stall = false;
  std::optional<Blocked> blocked;
  std::optional<Goroutine> goroutine;     // at begin
  std::optional<uint64_t> old_directory;  // tables that a directory lists
  std::optional<uint64_t> new_directory;
  std::optional<uint64_t> misses;  // see ResizeMeaning (agent/runtimes/runtime.h)
  bool ended_by_clear = false;
  std::optional<uint32_t> level;   // likewise
  std::optional<Reserve> reserve;  // likewise
  // What the call site is inside of, in the process: the call that led here from the first frame
  // outside the runtime, or, of native code, the return address at begin; 0 unknown.
  uint64_t caller = 0;
  bool caller_is_return = false;
  // nullptr: not sampled, and no earlier stack of this caller and map type.
  StackPtr stack;
  // The stack is this resize's own, or every one of its caller had the same own frame.
  bool own_is_known = false;
  // 0: unknown, or maybe in the map's own code.
  [[nodiscard]] uint64_t site_address() const { return caller_is_return ? 0 : caller; }
  // Where the program's own code led to the site; nullptr: unknown, or the site itself.
  [[nodiscard]] const Frame* own_frame() const {
    return own_is_known && stack != nullptr && stack->own != stack->site ? stack->own_frame()
                                                                         : nullptr;
  }
  std::shared_ptr<const ProgramInfo> program{};  // the file that it was seen in
};

// Kinds of a map that is no table: it reorganises itself at a point, and no size changes.
inline bool is_restructuring(std::string_view kind) {
  return kind == "promotion" || kind == "rebuild" || kind == "expansion";
}

// All splits of one level of a map's directory: as many slots again, table by table.
struct Doubling {
  const Target* target = nullptr;
  const Runtime* runtime = nullptr;
  uint64_t map_addr = 0;
  std::string map_type;
  uint64_t old_slots = 0;
  uint64_t new_slots = 0;
  std::optional<uint64_t> new_bytes;  // of all its splits
  uint64_t splits = 0;
  uint64_t begin_ns = 0;  // of the first split
  uint64_t end_ns = 0;    // of the last
  uint64_t stall_ns = 0;  // of all splits
  std::shared_ptr<const ProgramInfo> program{};
};

struct Writer {
  uint32_t tid = 0;
  uint64_t goid = 0;  // 0 unknown
  uint64_t begin_ns = 0;
  StackPtr stack{};
};

// Two goroutines inside writes of one map at once: no lock was between them.
struct Race {
  const Target* target = nullptr;
  const Runtime* runtime = nullptr;
  std::string_view comm;
  uint64_t map_addr = 0;
  std::string map_type;  // "" unknown
  Writer first;
  Writer second;  // its begin_ns is when both were inside
  std::shared_ptr<const ProgramInfo> program{};
};

struct Fatal {
  const Target* target = nullptr;
  const Runtime* runtime = nullptr;
  uint32_t tid = 0;
  std::string_view comm;
  std::string_view message;  // as the runtime prints it, without a "fatal error: " in front
  uint64_t map_addr = 0;     // 0 unknown
  uint64_t time_ns = 0;
  std::optional<Goroutine> goroutine;
  bool is_first = true;  // of its process; in Go several goroutines may die of one misuse
  // The map's last growth, where it is known.
  std::optional<uint64_t> last_growth_ns;     // its begin
  std::optional<uint64_t> last_growth_slots;  // after it
  bool growing = false;                       // it had not ended
  StackPtr stack{};
  std::shared_ptr<const ProgramInfo> program{};
};

}  // namespace mapscope
