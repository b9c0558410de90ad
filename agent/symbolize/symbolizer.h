// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/symbolizer.h – native stacks: registers and a copy of the stack → source lines.
//
// In:      ms_stack_record of a target that was added.
// Out:     StackPtr, interned (stack_table.h). A frame is a function, or an inlined call at the
//          line of the call; its name is as in demangle.h, or "" where the file has none; address
//          and module are always there.
//          In: ms_frames_record, return addresses that BPF has walked by frame pointer (Go).
// Threads: one at a time.
// Owns:    the open files, what was parsed of them, and all stacks.
//
// The files are opened when the target is added, so that stacks of a process that has died can
// still be resolved. An address in no known file makes the process' mappings be read again (a
// library loaded later), at most once a second and only while it is the same process. Memory of the
// target is never read, and no server is ever asked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "agent/base/result.h"
#include "agent/discover/process.h"
#include "agent/model/resize.h"
#include "agent/symbolize/symbolizer_limits.h"
#include "bpf/wire.h"

namespace mapscope {

struct SymbolizerCounts {
  uint64_t resolved = 0;    // stacks asked for and found or made
  uint64_t unresolved = 0;  // no address in a known file, or unknown target
  uint64_t refused = 0;     // larger than the stack table
  uint64_t evicted = 0;     // let go of for others
  uint64_t reloads = 0;     // mappings that were read again and had changed
};

class Symbolizer {
 public:
  // Errors: kUsage when a limit is 0.
  static Result<Symbolizer> create(const SymbolizerLimits& limits = {});

  Symbolizer(Symbolizer&&) noexcept;
  Symbolizer& operator=(Symbolizer&&) noexcept;
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;
  ~Symbolizer();

  // Opens every file that the process has mapped executable; one that cannot be opened or is no
  // usable ELF file is left out. Errors: kNotFound when the process is gone or another one has its
  // pid; kUnsupported when no file was usable.
  Status add_target(const Target& target, const Process& process);
  // Opens what it has mapped since.
  void update_target(const Target& target, const Process& process);
  // Closes its files. Unknown ids are ignored.
  void remove_target(uint32_t id);

  // Lets go of the stacks of these targets. REQUIRES: sorted.
  void forget_stacks(std::span<const uint32_t> ids);

  // nullptr when nothing could be resolved. `site` is the first frame that `runtime`, of the probe
  // that sampled it, does not call map code (0 without a runtime, -1 when all are). A frame in a Go
  // file is named by that file's own tables.
  StackPtr resolve(const Target& target, const ms_stack_record& record, const Runtime* runtime,
                   std::string_view map_type);

  // Likewise for a stack that was walked in the kernel.
  StackPtr resolve(const Target& target, const ms_frames_record& record, const Runtime* runtime);

  // The frames of the resize's caller alone, which no stack was sampled of: the site is known where
  // one of them is no map code.
  StackPtr resolve_caller(const Resize& resize);

  // What the target's addresses in this file are above those of the file; nullopt when it is not
  // mapped.
  [[nodiscard]] std::optional<uint64_t> load_bias(uint32_t id, uint64_t dev, uint64_t inode) const;

  // Threads: any.
  [[nodiscard]] SymbolizerCounts counts() const;

 private:
  struct Impl;
  explicit Symbolizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mapscope
