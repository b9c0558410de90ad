// SPDX-License-Identifier: Apache-2.0
// agent/attach/programs.h – the loaded BPF programs and their maps.
//
// Existing means loaded, with the scheduler and process hooks attached. Probes are attached per
// target (attachment.h) and must go before the Programs they came from. When the agent dies the
// kernel frees everything: nothing is pinned. Threads: load and attach from one thread; the read_*
// functions may run on any other at the same time.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/attach/detacher.h"
#include "agent/base/libbpf_ptr.h"
#include "agent/base/result.h"
#include "agent/plan/probe_plan.h"
#include "bpf/wire.h"

struct bpf_program;
struct mapscope_bpf;

namespace mapscope {

enum class AttachMethod {
  kMulti,  // uprobe_multi: one link for all sites of a program in a file; kernel >= 6.6
  kPerf,   // a perf event for each site
};

// By the kernel's own numbers; used again when the file is gone for good.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 means the 0 that <=> is compared with
  auto operator<=>(const FileIdentity&) const = default;
};

struct Limits {
  uint32_t ring_bytes = 16U << 20U;  // a power of two, at least a page
  uint32_t targets = 4096;
  uint32_t probes = 16384;
  uint32_t images = 1024;  // files with facts of their own
  uint32_t open_resizes = 16384;
  uint32_t threads = 16384;                 // that resize maps
  uint32_t waits = 16384;                   // threads of targets that sleep on a lock
  uint32_t locks = 16384;                   // that they have slept on lately
  uint32_t insert_types = MS_INSERT_TYPES;  // of all targets; a power of two
  uint32_t stacks_per_second = 2000;        // of one target; at most 2 s worth in advance
};

// What the probes of one target did so far; of those that every insert meets, estimated from one
// hit in MS_METER_EVERY.
struct ProbeUse {
  std::array<uint64_t, MS_SITE_CLASSES> hits{};  // by SiteClass of the instruction
  uint64_t program_ns = 0;                       // run time of the programs, without the traps
};

class Programs {
 public:
  // Errors: kPermission, kUnsupported (no BTF, no BPF), with what to do.
  // Programs of other modes than this are not loaded, and their maps stay empty. With `tell_all`
  // every exec on the machine is a record, and every fork of a target.
  static Result<Programs> load(const Limits& limits, AttachMethod method, Mode mode,
                               bool tell_all = false);

  Programs(Programs&&) noexcept;
  Programs& operator=(Programs&&) noexcept;
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;
  ~Programs();

  [[nodiscard]] AttachMethod method() const { return method_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  // The program for one kind of probe; owned here.
  [[nodiscard]] bpf_program* program(ms_probe_kind kind) const;
  [[nodiscard]] int ring_fd() const;
  // For links of these programs; destroying the programs waits for it.
  [[nodiscard]] Detacher& detacher() { return *detacher_; }

  // The file that probes in `fd` stand in: below an overlay, where there is one.
  [[nodiscard]] Result<FileIdentity> identify(int fd) const;
  Status write_descriptor(uint32_t index, const ms_descriptor& descriptor);
  // What descriptors that name this number read. 0 is that of native files, and is never written.
  Status write_image(uint32_t index, const ms_image& image);
  // From the return of this call on, hits of that probe do not count.
  void silence(uint32_t index);
  // From the return of this call on, hits of the process count.
  Status enable_target(uint32_t tgid, uint32_t id, uint32_t slot);
  // Not so once the process has ended or executed another program, which has a record then.
  [[nodiscard]] bool is_enabled(uint32_t tgid, uint32_t id) const;
  // Never fails: a target that the kernel has already dropped is fine.
  void disable_target(uint32_t tgid, uint32_t id);
  // Drops the resizes that a target left open; returns how many there were.
  uint64_t expire_open_resizes(uint32_t id);

  // Sums over CPUs. drops: indexed by ms_drop; hits: by descriptor index.
  [[nodiscard]] std::vector<uint64_t> read_drops() const;
  [[nodiscard]] std::vector<uint64_t> read_hits(uint32_t count) const;
  [[nodiscard]] uint64_t read_inserts(uint32_t slot) const;
  [[nodiscard]] ProbeUse read_use(uint32_t slot) const;
  void clear_counters(uint32_t slot);
  // Inserts by target and map type; both name an entry once.
  [[nodiscard]] std::vector<ms_insert_type> read_insert_types() const;
  // Makes room for the types of others. REQUIRES: hits of the target do not count any more.
  void clear_insert_types(uint32_t id);
  struct OpenResize {
    uint32_t target;
    uint32_t descriptor;  // of the probe that began it
  };
  [[nodiscard]] std::vector<OpenResize> read_open_resizes() const;

 private:
  Programs(SkeletonPtr<mapscope_bpf> skeleton, const Limits& limits, AttachMethod method,
           Mode mode);

  Limits limits_;
  AttachMethod method_;
  Mode mode_;
  SkeletonPtr<mapscope_bpf> skeleton_;
  std::vector<LinkPtr> hooks_;
  std::unique_ptr<Detacher> detacher_ = std::make_unique<Detacher>();
};

}  // namespace mapscope
