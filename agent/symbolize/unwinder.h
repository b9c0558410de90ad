// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/unwinder.h – registers and a copy of the stack → return addresses, by .eh_frame.
//
// One libdwfl session over the modules of one process. Memory of the process is never read: what
// lies outside the copy is unreadable, and the stack ends there. Where a module has no unwind table
// libdwfl follows the frame pointer. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "agent/base/result.h"
#include "agent/symbolize/module.h"
#include "bpf/wire.h"

struct Dwfl;

namespace mapscope {

struct CodeAddress {
  uint64_t pc = 0;
  bool is_return =
      true;  // the instruction before it is the call; false where the thread, or a signal, stopped
  // What belongs to the call or the stopped instruction.
  [[nodiscard]] uint64_t lookup_address() const { return is_return ? pc - 1 : pc; }
};

class Unwinder {
 public:
  // `modules` must not change and must outlive the object. Errors: kUnsupported without a usable
  // module.
  static Result<std::unique_ptr<Unwinder>> create(std::span<const std::unique_ptr<Module>> modules);

  Unwinder(const Unwinder&) = delete;
  Unwinder& operator=(const Unwinder&) = delete;
  Unwinder(Unwinder&&) = delete;
  Unwinder& operator=(Unwinder&&) = delete;
  ~Unwinder();

  // Innermost first, at most `max_frames`. The first is the record's own instruction pointer; there
  // may be no other.
  void unwind(const ms_stack_record& record, size_t max_frames,
              std::vector<CodeAddress>& addresses);

 private:
  Unwinder() = default;
  friend struct UnwinderCallbacks;

  Dwfl* dwfl_ = nullptr;
  // Of the unwind() that runs.
  const ms_stack_record* record_ = nullptr;
  size_t max_frames_ = 0;
  std::vector<CodeAddress>* addresses_ = nullptr;
};

}  // namespace mapscope
