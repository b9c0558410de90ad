// SPDX-License-Identifier: Apache-2.0
// agent/discovery.h – the processes that are wanted: those that are named, until they end, and
// those that a selection finds, now and later.
//
// How: /proc once; then the kernel's records of programs executed, processes forked by targets and
// executable files mapped. What a record can be lost of, a scan every kRescanNs makes up for; it
// reads two lines of each process that it knows. A process is known by pid, start time and the file
// that it executes, so that a pid used again, or for another program, is another process.
// A named process without a map is not done with: it may load one, or execute a program that has
// one; what a command without a map starts is looked at as well (`timeout 5 prog`), and what any
// command starts where it is followed. Otherwise no process is looked at that nobody named.
// Bounds: what is kept is one entry for each process that runs, and kMaxEmpty of files.
// The agent itself is never selected. Threads: one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "agent/discover/mapping_events.h"
#include "agent/discover/process.h"
#include "agent/discover/selection.h"
#include "agent/model/target_table.h"
#include "agent/watcher.h"
#include "bpf/wire.h"

namespace mapscope {

class Discovery {
 public:
  static constexpr uint64_t kRescanNs = 30'000'000'000;

  // Called when a target came, could not be watched, or is gone.
  using OnTarget = std::function<void(const Target&)>;
  // Handles all records that there are now, among them those of processes, which come back here.
  using Drain = std::function<void()>;

  // What is wanted whatever the selection says.
  struct Named {
    std::vector<int> pids;
    pid_t command = 0;    // of the agent's own; 0: none
    bool follow = false;  // and all that it starts
  };

  // REQUIRES: the references outlive it.
  Discovery(const Selection& selection, Named named, Watcher& watcher, TargetTable& targets,
            OnTarget on_target, Drain drain);

  // Looks at what is wanted. Call it first. Without `mappings`, libraries that are loaded later are
  // found late. Error: nothing of what is named can be watched, now or later, and nothing else is
  // wanted.
  Status start(std::optional<MappingEvents> mappings);
  // Whether a process may still become a target: not so when all that were named have ended.
  [[nodiscard]] bool may_find() const { return discovers() || !named_.empty(); }
  // Whether one is wanted that is not there, or has no map yet: what it does first is soon over.
  [[nodiscard]] bool is_waiting() const { return discovers() || has_waiting(); }
  // Why no named process was ever watched; nullopt: one was, none is named, or that was said.
  [[nodiscard]] std::optional<Error> never_watched() const;
  // What targets had mapped before this call is known after it, so that records of what they did
  // can be understood. Calls nobody back but OnTarget.
  void extend_targets(uint64_t now_ns);
  // In the order of the ring.
  void on_process(const ms_process_record& record);
  // A few times a second.
  void tick(uint64_t now_ns);

 private:
  static constexpr size_t kMaxEmpty = 8192;
  static constexpr uint64_t kEmptyNs = 60'000'000'000;

  struct Seen {
    ProcessGlimpse glimpse;
    bool wanted = false;
    bool again = false;      // what kept it from being watched may pass
    bool no_map = false;     // so far
    uint32_t target = 0;     // 0: none
    uint64_t looked_ns = 0;  // before it was read
    [[nodiscard]] bool is_waiting() const { return wanted && no_map; }
  };
  using FileKey = std::tuple<uint64_t, uint64_t, uint64_t>;  // device, inode, generation

  void take_record(const ms_process_record& record);
  void scan(bool again);
  // Looks at a process that may be new, or another program than before.
  void consider(pid_t pid, bool again, bool drained = false);
  // Looks again until the process stays the same, so that looked_ns is a time when it was that
  // program already.
  static void settle(pid_t pid, Seen& seen);
  [[nodiscard]] bool is_wanted(pid_t pid, const Seen& seen) const;
  void watch(pid_t pid, Seen& seen);
  void tell(pid_t pid, const Seen& seen, const Error& error);
  void tell_named(pid_t pid, const Error& error);
  void consider_children(pid_t pid);
  void end(uint32_t target);
  // Of one that is found gone: first what it has done, which may be on its way, and with it the
  // record of its end.
  void end_found(const std::vector<uint32_t>& targets);
  // Whether the process was a target that has become another program, and no record says so yet.
  bool is_behind(const Seen& seen) const;
  void forget_vanished();
  void lose_proc(const Error& error);
  void retry_proc();
  void take_mappings(uint64_t now_ns);
  void drain_mappings(uint64_t now_ns);
  void remember_empty(const std::vector<MappingEvent>& events, uint64_t now_ns);
  void extend(pid_t pid, uint64_t now_ns);
  void name(pid_t pid);
  [[nodiscard]] bool is_named(pid_t pid, uint64_t start_ticks) const;
  // Processes are looked for, and not only those that are named.
  [[nodiscard]] bool discovers() const { return selection_.active() || wanted_.follow; }
  // Whether the process comes from the command, and that is followed or has no map so far.
  [[nodiscard]] bool is_of_command(pid_t pid) const;
  [[nodiscard]] bool command_waits() const;
  [[nodiscard]] bool has_waiting() const;
  [[nodiscard]] bool may_be_wanted(pid_t pid) const;
  [[nodiscard]] std::vector<pid_t> list_wanted() const;
  void note_watched();
  void tick_named(uint64_t now_ns);

  Selection selection_;
  Named wanted_;
  std::map<pid_t, uint64_t> named_;   // that run; when they started
  std::optional<Error> first_error_;  // of a named one
  bool named_watched_ = false;        // one of them, once
  std::optional<Error> unsaid_;       // why the command is not watched, which may pass soon
  uint64_t unsaid_ns_ = 0;
  uint64_t asked_ns_ = 0;   // which named ones run
  uint64_t waited_ns_ = 0;  // for those without a map, when nobody tells what they map
  Watcher* watcher_;
  TargetTable* targets_;
  OnTarget on_target_;
  Drain drain_;
  bool in_record_ = false;
  const pid_t self_;
  std::unordered_map<pid_t, Seen> seen_;
  std::optional<MappingEvents> mappings_;
  bool starting_ = true;
  bool mappings_lost_ = false;
  bool proc_lost_ = false;                             // it cannot be read
  std::map<pid_t, std::vector<MappingEvent>> mapped_;  // since the last tick, by process
  std::set<pid_t> strangers_;          // were no targets at the last tick, when they mapped files
  std::map<FileKey, uint64_t> empty_;  // files with nothing to probe, and until when
  uint64_t scanned_ns_ = 0;
  uint64_t looked_ns_ = 0;
  uint32_t scans_ = 0;
};

}  // namespace mapscope
