// SPDX-License-Identifier: Apache-2.0
// agent/watcher.h – from a pid to an attached target: discover → plan → attach; and back when it is
// gone.
//
// A file is planned once for all processes that run it (known_binaries.h). Shared, it is also
// attached once for all of them, by the first and until the last is gone; otherwise each process
// has probes of its own, and others that run the file have none.
// Threads: watch(), forget() and the like from the pipeline's thread; add_stats() from any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/attach/attachment.h"
#include "agent/attach/programs.h"
#include "agent/base/result.h"
#include "agent/discover/process.h"
#include "agent/insert_totals.h"
#include "agent/known_binaries.h"
#include "agent/model/pause.h"
#include "agent/model/self_stats.h"
#include "agent/model/target_table.h"
#include "agent/overhead/guard.h"
#include "agent/plan/probe_plan.h"
#include "agent/symbolize/symbolizer.h"

namespace mapscope {

enum class Sharing { kPerProcess, kShared };

struct WatcherOptions {
  Mode mode = Mode::kResizes;
  Sharing sharing = Sharing::kPerProcess;
  ProbeCosts costs{};      // of this machine
  double budget = 0;       // what probes may take of a target's CPU time; 0: no limit
  bool go_strict = false;  // no Go newer than those that were checked
};

// Who wants a process to be watched.
enum class Interest {
  kNamed,     // somebody who named it: that it cannot be is told
  kEverybody  // nobody in particular: without a map, or ended, it is passed over in silence
};

class Watcher {
 public:
  // REQUIRES: all outlive the watcher.
  Watcher(Programs& programs, DescriptorTable& descriptors, TargetTable& targets,
          Symbolizer& symbolizer, KernelFacts kernel, const WatcherOptions& options)
      : programs_(&programs),
        descriptors_(&descriptors),
        targets_(&targets),
        symbolizer_(&symbolizer),
        mode_(options.mode),
        sharing_(options.sharing),
        binaries_(programs, kernel, options.mode, options.go_strict),
        guard_(programs, options.costs, options.budget) {}

  // Attaches every room that recognises a file of the process. A process that cannot be watched
  // becomes a target too, with state unsupported, and the error says why; not so when nobody asked
  // for it and it has no map or has ended (label kNoMap or kEnded). `known`: the target that the
  // same program of the process is already, because it had no map before; 0: none.
  // REQUIRES: the process is no attached target.
  Result<const Target*> watch(int pid, Interest interest = Interest::kNamed, uint32_t known = 0);
  static constexpr std::string_view kNoMap = "no_map";
  static constexpr std::string_view kEnded = "ended";
  // Attaches what an attached target has mapped since. Returns whether there was anything.
  Result<bool> extend(uint32_t id);
  // Files without anything to probe that the last process had mapped.
  [[nodiscard]] const std::vector<MappedFile>& empty_files() const { return empty_files_; }

  // Detaches, drops what the target left open, keeps its totals. Nothing happens for one that is
  // not attached. What it left open has expired when it `is_gone`.
  void forget(uint32_t id, bool is_gone = true);
  // Whether the kernel counts its hits. Not so once it has ended or executed another program, which
  // has a record then.
  [[nodiscard]] bool is_counted(const Target& target) const {
    return programs_->is_enabled(static_cast<uint32_t>(target.pid), target.id);
  }
  // About once a second: lets go of files that nobody runs any more.
  void tick(uint64_t now_ns);
  // Often: takes probes off targets that they cost more than the budget, and puts them back later.
  // Returns who is not watched from now on, or is again.
  std::vector<Pause> guard(uint64_t now_ns);
  // What the mode adds comes off, for good, and is not put on any later target.
  void end_mode();
  [[nodiscard]] size_t attached() const;
  void add_stats(SelfStats& stats) const;

 private:
  // Destroyed from the last member to the first: hits stop counting before probes go.
  struct Watched {
    std::vector<std::shared_ptr<KnownBinary>> binaries;
    std::vector<std::shared_ptr<Attachment>> attachments;
    int pid = 0;
    uint32_t slot = 0;
    ProcessLabels labels;
    std::shared_ptr<LoadedPrograms> loaded;
    bool paused = false;  // and that was reported
    std::optional<EnabledTarget> enabled;

    // Of what a file of that room counts; nullptr: not known which.
    [[nodiscard]] ProcessLabels labels_of(const Runtime* runtime) const;
  };
  // Whose probes cost too much; it may be gone before the pause ends.
  struct PauseOrigin {
    uint32_t id = 0;
    double share = 0;  // of its CPU time
    PauseCause process;
  };
  // What is to be attached to one process.
  struct PlannedProcess {
    std::vector<std::shared_ptr<KnownBinary>> binaries;
    std::vector<std::pair<std::shared_ptr<KnownBinary>, MappedFile>>
        go_files;  // these, and plugins
  };

  Result<PlannedProcess> plan_process(const Process& process);
  void add_go_files(Target& target, const PlannedProcess& planned);
  Status attach(Target& target, const Process& process, const PlannedProcess& planned);
  // REQUIRES: mutex_. Adds the probes of one file, its own or those that others share already.
  Status attach_file(Target& target, const std::shared_ptr<KnownBinary>& binary, Watched& watched);
  // The room of a Go file by its types, or of the native one (nullptr); nullptr: there is none.
  static const Runtime* runtime_of(const Watched& watched, const ProgramTypes* file);
  // Adds what one target has inserted so far.
  void add_inserts(uint32_t id, const Watched& watched, const std::vector<ms_insert_type>& types,
                   InsertTotals& totals) const;
  void add_inserts(SelfStats& stats) const;
  // REQUIRES: mutex_. The next relief for a target that is over the budget.
  void relieve(const OverheadGuard::Excess& excess, uint64_t now_ns);
  void resume_paused(uint64_t now_ns);
  // REQUIRES: mutex_. What has changed since the last call.
  std::vector<Pause> take_pauses(uint64_t now_ns);
  // REQUIRES: mutex_. What targets of this file have begun and nobody saw the end of.
  void drop_open_resizes(const Attachment& attachment);
  void count_probes();
  static OverheadGuard::Metered metered(uint32_t id, const Watched& watched);
  [[nodiscard]] std::vector<OverheadGuard::Metered> all_metered() const;
  [[nodiscard]] uint64_t probe_count() const;
  Result<uint32_t> take_slot();
  Error refuse(Target* target, Error error);
  // The target of this number is that process from now on; 0: a new one.
  Target* describe_again(uint32_t id, const Process& process);

  Programs* programs_;
  DescriptorTable* descriptors_;
  TargetTable* targets_;
  Symbolizer* symbolizer_;
  Mode mode_;
  Sharing sharing_;
  KnownBinaries binaries_;
  std::vector<MappedFile> empty_files_;

  mutable std::mutex mutex_;  // guards what follows
  std::map<uint32_t, Watched> watched_;
  PastInserts past_inserts_;
  OverheadGuard guard_;
  std::map<const Attachment*, PauseOrigin> origins_;  // of the paused ones
  bool mode_ended_ = false;
  std::map<std::string, uint64_t> attach_errors_;  // by ErrorKind
  uint64_t expired_ = 0;
  uint32_t next_slot_ = 0;
  std::vector<uint32_t> free_slots_;
};

}  // namespace mapscope
