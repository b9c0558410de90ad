// SPDX-License-Identifier: Apache-2.0
// agent/discovery.h – finds the processes that a selection wants: those that run now, and every one
// that comes.
//
// How: /proc once; then the kernel's records of programs executed, processes forked by targets and
// executable files mapped. What a record can be lost of, a scan every kRescanNs makes up for; it
// reads two lines of each process that it knows. A process is known by pid, start time and the file
// that it executes, so that a pid used again, or for another program, is another process.
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

  // `named`: processes that are wanted whatever the selection says. REQUIRES: the references
  // outlive it.
  Discovery(const Selection& selection, const std::vector<int>& named, Watcher& watcher,
            TargetTable& targets, OnTarget on_target, Drain drain);

  // Looks at every process. Call it first. Without `mappings`, libraries that are loaded later are
  // found late.
  void start(std::optional<MappingEvents> mappings);
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
    uint32_t target = 0;     // 0: none
    uint64_t looked_ns = 0;  // before it was read
  };
  using FileKey = std::tuple<uint64_t, uint64_t, uint64_t>;  // device, inode, generation

  void take_record(const ms_process_record& record);
  void scan(bool again);
  // Looks at a process that may be new, or another program than before.
  void consider(pid_t pid, bool again, bool drained = false);
  void watch(pid_t pid, Seen& seen);
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
  void extend(pid_t pid, uint64_t now_ns);

  Selection selection_;
  std::set<pid_t> named_;
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
  std::set<pid_t> strangers_;          // were not known at the last tick, when they mapped files
  std::map<FileKey, uint64_t> empty_;  // files with nothing to probe, and until when
  uint64_t scanned_ns_ = 0;
  uint64_t looked_ns_ = 0;
  uint32_t scans_ = 0;
};

}  // namespace mapscope
