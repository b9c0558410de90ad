// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/runtime.h – the contract of a room: what one map implementation looks like and
// means.
//
// A room is constexpr data (its probe table) and pure functions. It never attaches, reads memory of
// a process or keeps state; BPF reads what the descriptors say and normalize() gives it meaning.
// registry.cc lists the rooms, one line each. Threads: everything is immutable and callable from
// any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "agent/binary/program.h"
#include "agent/runtimes/map_types.h"
#include "agent/runtimes/reserve.h"
#include "bpf/wire.h"

namespace mapscope {

// What the agent was asked for. Probes of kResizes belong to every mode.
enum class Mode { kResizes, kInserts, kRaces };

enum class Need {
  kRequired,
  kOptional,
  kDetail,    // something that other records are told with; no copy of its function is looked for
  kFallback,  // only where the nearest probe before it that is no fallback has no site
};

// Where in the function the probe goes; the planner finds the instruction and proves it.
enum class Site {
  // Once per call, arguments untouched, return address on top of the stack. In Go code past the
  // check for stack space, which starts the function again.
  kEntry,
  // Every way out of the function, with the stack pointer as at entry.
  kExit,
  // As kEntry, but of Go calls only those that do not return at once, after a check and no more.
  kPastEarlyExit,
  // On every way out, with nothing behind it but what calls no function or only `callee`.
  kNearExit,
  // The way out with the highest address, which is proved to be the only one behind a store at
  // `offset` of an object; and all others that kPastEarlyExit stands before.
  kLastExit,
  kOtherExits,
  // Every direct call of `callee`, its arguments in place; or, only to find MS_REG_FOUND in a
  // register, an instruction before it from which nothing but that call is reached.
  kCall,
  // The block that stores 0 to the pointer at `offset` of an object, passed on every way to that
  // store and on no other; the object is what MS_REG_FOUND stands for.
  kPointerCleared,
  // On every way out, between the last check for a concurrent writer and the return: the jump of
  // that check, which leads to a call of `callee` on one of its ways.
  kLastCheck,
};

struct ProbeSpec {
  std::string_view symbol;
  Site site = Site::kEntry;
  Need need = Need::kRequired;
  Mode mode = Mode::kResizes;
  ms_descriptor descriptor{};    // kind, fields and key, as BPF gets it
  std::string_view why;          // one phrase for `agent inspect`
  std::string_view callee = {};  // see Site
  int32_t offset = 0;            // see Site
  // Which argument of the function MS_REG_FOUND stands for where Site says nothing of it, from 0;
  // the planner proves where it is at the site, in a register or spilled. Of a copy in another
  // function it is that function's argument, which the copy must be seen to use at `offset`.
  uint8_t argument = 0;
  // How to probe a copy of `symbol` that the compiler has put into another function: `symbol` of
  // this one is not looked at. nullptr: such a copy goes unseen, and the plan says so.
  const ProbeSpec* inlined = nullptr;
};

// What a runtime takes for granted about a layout, and where the code of a program shows it. Held
// against programs whose version was not checked.
struct LayoutFact {
  enum class Kind : uint8_t {
    kReadFirst,    // of all accesses of `size` bytes to the argument the first one is at `offset`
    kCountedUp,    // the member there is counted up by one
    kCountedDown,  // likewise down
    kCompared,     // something is compared with `offset`
  };
  // Each one that the program has must show it, and there must be one unless `if_present`.
  std::span<const std::string_view> functions;
  Kind kind;
  uint8_t argument = 0;  // that points to the object, from 0
  int32_t offset = 0;
  uint8_t size = 0;
  std::string_view what;  // that is there, for people
  bool if_present = false;
};

// A room recognised a binary.
struct Match {
  std::string version;                // of the runtime, e.g. "go1.27.4"; "" when there is none
  std::span<const ProbeSpec> probes;  // static storage
  // Newer than what was checked: planned only when all of these hold.
  bool unverified = false;
  std::span<const LayoutFact> facts = {};  // static storage
};

// What a finished resize means. An absent value is unknown, never 0.
struct ResizeMeaning {
  // grow, same_size, split, small_to_table, prune, clear; of a map that is no table, whose points
  // have neither times nor slots: promotion, rebuild, expansion. Static storage.
  std::string_view kind;
  std::string_view trigger;   // load, overflow, tombstones; "" unknown; static storage
  std::string_view map_type;  // may point into the record or into `types`
  uint64_t map_addr = 0;      // in the target
  std::optional<uint64_t> old_slots;
  std::optional<uint64_t> new_slots;
  std::optional<uint64_t> entries;  // of the whole map, before the triggering insert
  // What the allocator took for all that it made, and for what that replaces.
  std::optional<uint64_t> new_bytes;
  std::optional<uint64_t> old_bytes;
  // Of a table that splits in two as large as it: how often the tables that led to it had split
  // before. Absent for a growth of the whole map, whose slots are then the map's.
  std::optional<uint32_t> level;
  // Of a growth: what a map must be made for to be spared it, by the runtime's own rounding.
  std::optional<Reserve> reserve;
  // Of a map that is a directory of tables: its length before and after.
  std::optional<uint64_t> old_directory;
  std::optional<uint64_t> new_directory;
  // Of a promotion: look-ups that missed since the one before.
  std::optional<uint64_t> misses;
  bool ended_by_clear = false;  // the map was cleared before all of it had moved
};

// Of a function that inserts.
struct CodeOrigin {
  bool standard_library = false;  // no user of the program can change it
  bool at_init = false;           // runs once, before main, or calls what does
};

struct Runtime {
  std::string_view name;      // the room's stem, used in metrics and events
  std::string_view describe;  // one line for people
  // What `agent inspect` names when it finds no map.
  std::span<const std::string_view> looked_for;
  // Functions whose inlined code is searched for copies of probed ones, by the start of their name.
  // "": all, in a program that may have been built with a profile.
  std::span<const std::string_view> hosts;

  // nullopt: not mine. Error kUnsupported: mine, but beyond what was checked; the text says why.
  Result<std::optional<Match>> (*identify)(const Program& program);
  // Errors: kCorrupt when the values are impossible (the record is then counted and dropped).
  // `types` are those of the target; nullptr for a native program.
  Result<ResizeMeaning> (*normalize)(const ms_resize_record& record, MapTypes* types);
  // True for a function that belongs to the map itself, so that the call site is the first frame
  // outside.
  bool (*is_map_code)(std::string_view function, std::string_view map_type);
  // Whether this message of a dying process is about a misused map; nullptr: each one is.
  bool (*is_map_fatal)(std::string_view message) = nullptr;
  // How a programmer makes a map of this type for so many entries, in code of this function:
  // "make(map[string]int, 898)". The type and the function are "" where they are unknown; they come
  // from the target, escaped already. nullptr: such maps cannot be made for a size.
  std::string (*reserve_advice)(std::string_view map_type, uint64_t entries,
                                std::string_view function) = nullptr;
  // Whose a function is, and when it runs; nullptr: a user's, whenever.
  CodeOrigin (*origin)(std::string_view function) = nullptr;
  bool in_go = false;  // its maps are of Go code, which runs in goroutines
};

// Every room, in the order in which they are asked.
std::span<const Runtime* const> all_runtimes();

}  // namespace mapscope
