// SPDX-License-Identifier: Apache-2.0
// agent/attach/attachment.h – the probes of one file, attached; destroying it detaches them all,
// which goes on in the background (detacher.h).
//
// Attaching does not stop anybody. The probes stand in one process only, which keeps others that
// run the same file free of traps; or in every process that maps the file, now or later. Hits count
// only for the processes that are enabled as targets, which is done when every probe is in place,
// so no growth is half seen.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/attach/programs.h"
#include "agent/base/libbpf_ptr.h"
#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/binary/go_program.h"
#include "agent/plan/probe_plan.h"
#include "agent/runtimes/loaded_programs.h"
#include "agent/runtimes/program_info.h"

namespace mapscope {

// What is to be probed in one file, which stays open as long.
struct PlannedFile {
  std::string name;
  std::vector<ProbePlan> plans;  // one for each room that found something
  UniqueFd file;
  std::shared_ptr<const ProgramInfo> info;
  std::shared_ptr<const GoProgram> go;  // nullptr: native code
  std::shared_ptr<ProgramTypes> types;  // likewise
  ms_image image{};                     // all 0 without `go`
  uint64_t number = next_number();      // never used twice in one run

  // Whether each instruction that is to be probed is in that file, too, where it was planned.
  [[nodiscard]] bool holds_in(const UniqueFd& other) const;
  static uint64_t next_number();
};

// Numbers of the kernel's `images`: one for a file, however many attachments it has, and back when
// the last of them is detached. Native files share number 0. Threads: any.
class ImageTable {
 public:
  // While one exists, the number is taken.
  using Number = std::shared_ptr<const uint32_t>;

  // Errors: kSystem when all are taken, or the kernel refuses. REQUIRES: programs outlive the call.
  Result<Number> take(Programs& programs, const PlannedFile& file);
  // The program that has the number, or had it last; nullptr: none, or nobody needs it any more.
  [[nodiscard]] std::shared_ptr<const GoProgram> program(uint32_t index) const;

 private:
  // A number may outlive the table.
  struct Pool {
    std::mutex mutex;
    std::vector<uint32_t> free;
    std::map<uint64_t, std::weak_ptr<const uint32_t>> taken;  // by PlannedFile::number
    std::vector<std::weak_ptr<const GoProgram>> programs{1};  // by number
  };
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
};

// Hands out descriptor indices; an index carries its meaning (room, probe and file) for as long as
// it is taken.
class DescriptorTable {
 public:
  struct Entry {
    const Runtime* runtime = nullptr;  // nullptr: free
    const ProbeSpec* spec = nullptr;
    uint64_t file = 0;  // PlannedFile::number; 0: none
    std::weak_ptr<const GoProgram>
        go{};  // of the file; empty: native code, or nobody needs it more
    std::shared_ptr<const ProgramInfo> info{};  // of the file; nullptr: not known
    std::weak_ptr<ProgramTypes> types{};        // as `go`
  };
  explicit DescriptorTable(uint32_t capacity) : capacity_(capacity) {}

  // Indices that nobody uses; may outlive the table.
  class Free {
   public:
    // Threads: any.
    void give_back(std::vector<uint32_t> indices);
    // The one that is free for longest.
    std::optional<uint32_t> take();

   private:
    std::mutex mutex_;
    std::deque<uint32_t> indices_;
  };

  // Errors: kSystem when all are taken.
  Result<uint32_t> take(const Runtime* runtime, const ProbeSpec* spec,
                        const PlannedFile* file = nullptr);
  // Their meaning stays readable until they are taken again: records of the last hits may still be
  // in the ring.
  [[nodiscard]] const std::shared_ptr<Free>& free() const { return free_; }
  [[nodiscard]] ImageTable& images() { return images_; }
  // nullptr for an index that was never taken.
  [[nodiscard]] const Entry* find(uint32_t index) const;
  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  uint32_t capacity_;
  std::vector<Entry> entries_;
  std::shared_ptr<Free> free_ = std::make_shared<Free>();
  ImageTable images_;
};

// What the kernel side has to know of a target.
struct TargetSetup {
  uint32_t id = 0;
  int pid = 0;
  uint32_t slot = 0;  // its counter of inserts
};

// While it exists, hits of the process count.
class EnabledTarget {
 public:
  // REQUIRES: programs outlive it.
  static Result<EnabledTarget> enable(Programs& programs, const TargetSetup& target);

  EnabledTarget(EnabledTarget&& other) noexcept;
  EnabledTarget& operator=(EnabledTarget&& other) noexcept;
  EnabledTarget(const EnabledTarget&) = delete;
  EnabledTarget& operator=(const EnabledTarget&) = delete;
  ~EnabledTarget();

 private:
  EnabledTarget(Programs* programs, uint32_t id, int pid)
      : programs_(programs), id_(id), pid_(pid) {}
  Programs* programs_;  // nullptr: moved from
  uint32_t id_;
  int pid_;
};

inline constexpr int kEveryProcess = -1;
inline constexpr uint64_t kFirstPauseNs = 60'000'000'000;
inline constexpr uint64_t kLongestPauseNs = 60 * kFirstPauseNs;
inline constexpr uint64_t kFirstLastingNs = 10'000'000'000;

// What may be taken off while the rest stays, from the least to the most.
enum class Relief {
  kNone,
  kStacks,  // no whole stacks of goroutines, whose call sites are known without
  kTimes,   // probes that only add how long an insert was held up
  kMode,    // all that --mode inserts or races adds
  kAll,     // every probe
};

class Attachment {
 public:
  // pid: the one process, or kEveryProcess. REQUIRES: programs and descriptors outlive the
  // attachment.
  static Result<Attachment> attach(Programs& programs, DescriptorTable& descriptors, int pid,
                                   std::shared_ptr<const PlannedFile> file);

  Attachment(Attachment&&) noexcept = default;
  Attachment& operator=(Attachment&&) noexcept = default;
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  ~Attachment() = default;

  // Those in place.
  [[nodiscard]] uint32_t probe_count() const;
  [[nodiscard]] Relief relief() const;
  // Takes that off. Returns whether there was anything.
  bool relieve(Relief relief, uint64_t now_ns);
  // When that last took anything off.
  [[nodiscard]] uint64_t relieved_ns() const;
  // Undoes kStacks and kTimes ten seconds after the last of them, then twenty, … Returns whether it
  // did. What the mode adds stays off.
  bool resume_lasting(uint64_t now_ns);
  // Whether a pause (kAll) is over; each is twice as long as the one before.
  [[nodiscard]] bool is_resume_due(uint64_t now_ns) const;
  // When a pause is to end. REQUIRES: relief() is kAll.
  [[nodiscard]] uint64_t resume_ns() const;
  // Puts the probes back that no other relief took off. When that fails the pause goes on.
  Status resume(uint64_t now_ns);

 private:
  struct State;
  struct Detach {
    void operator()(State* state) const;
  };
  explicit Attachment(std::unique_ptr<State, Detach> state) : state_(std::move(state)) {}
  std::unique_ptr<State, Detach> state_;
};

}  // namespace mapscope
