// SPDX-License-Identifier: Apache-2.0
// agent/known_binaries.h – every file that a watched process had mapped: what is to be probed in
// it, found out once for all processes that run it.
//
// A file is the one that the kernel puts probes into: two containers of one image share it, though
// each sees it on a file system of its own. It is taken for unchanged while its size and time of
// change are; one that is being probed may change in these as long as the probed instructions stay.
// Bounds: at most kMaxKept files that no process needs any more, the longest unneeded go first; one
// with probes in it keeps the file open and is forgotten after kMaxIdleNs.
// Threads: one. Owns: the open files, and what was read of them.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "agent/attach/attachment.h"
#include "agent/attach/programs.h"
#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/binary/program.h"
#include "agent/plan/probe_plan.h"

namespace mapscope {

struct KnownBinary {
  std::shared_ptr<const PlannedFile> planned;  // nullptr: there is nothing to probe
  std::vector<std::string> unseen;             // what the probes cannot see, one line each
  // nullptr: not a Go program, or refused. One without anything to probe (a plugin) has types and
  // lines, too.
  std::shared_ptr<ProgramTypes> types;
  std::optional<Error> unreadable;       // no program at all
  std::optional<Error> refused;          // a room's reason not to, or why goroutines are not known
  std::weak_ptr<Attachment> attachment;  // the one that all its processes share, while there is one

  // Nothing to probe, and nothing to name what others' probes meet.
  [[nodiscard]] bool has_nothing() const { return planned == nullptr && types == nullptr; }
};

class KnownBinaries {
 public:
  static constexpr size_t kMaxKept = 4096;
  static constexpr uint64_t kMaxIdleNs = 10'000'000'000;

  // REQUIRES: programs outlive it.
  // `go_strict`: a Go newer than those that were checked is refused, whatever it proves.
  KnownBinaries(const Programs& programs, KernelFacts kernel, Mode mode, bool go_strict)
      : programs_(&programs), kernel_(kernel), mode_(mode), go_strict_(go_strict) {}

  // `path` is for messages. Errors: kSystem when the file cannot be told from others, kCorrupt when
  // its code has changed below the probes.
  Result<std::shared_ptr<KnownBinary>> find(UniqueFd file, const std::string& path);

  // Whoever needs one holds it.
  void forget_idle(uint64_t now_ns);
  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  // As fstat() tells them: of the mount that the file was opened on.
  using View = std::tuple<uint64_t, uint64_t, int64_t, int64_t, int64_t>;

  struct Entry {
    std::shared_ptr<KnownBinary> binary;
    int64_t size = 0;
    int64_t changed_ns = 0;
    uint64_t used_ns = 0;
  };

  static View view_of(const struct stat& status);
  [[nodiscard]] std::shared_ptr<KnownBinary> plan(UniqueFd file, const std::string& path) const;
  void plan_rooms(const Program& program, KnownBinary& binary, PlannedFile& planned) const;
  void make_room();

  const Programs* programs_;
  KernelFacts kernel_;
  Mode mode_;
  bool go_strict_;
  std::map<FileIdentity, Entry> entries_;
  std::map<View, std::shared_ptr<KnownBinary>> empty_views_;  // files with nothing to probe
};

}  // namespace mapscope
