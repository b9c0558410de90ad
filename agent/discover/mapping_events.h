// SPDX-License-Identifier: Apache-2.0
// agent/discover/mapping_events.h – executable files that any process of the machine maps, told by
// the kernel's own records of that (perf's MMAP2).
//
// No tracepoint tells mappings, and the records cost nothing but at an executable mapping. One ring
// for each CPU; nobody is woken, so drain() is called a few times a second. What did not fit is
// noticed. Threads: one. Owns: the rings.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

namespace mapscope {

struct MappingEvent {
  pid_t pid = 0;
  uint64_t dev = 0;  // as in /proc/PID/maps
  uint64_t inode = 0;
  uint64_t generation = 0;  // of the inode's number, where the file system counts them
};

class MappingEvents {
 public:
  // Errors: kPermission, kUnsupported (no perf events).
  static Result<MappingEvents> open();

  MappingEvents(MappingEvents&& other) noexcept;
  MappingEvents& operator=(MappingEvents&& other) noexcept;
  MappingEvents(const MappingEvents&) = delete;
  MappingEvents& operator=(const MappingEvents&) = delete;
  ~MappingEvents();

  // Calls visit(event) for each since the last call. False if some were lost.
  bool drain(const std::function<void(const MappingEvent&)>& visit);

 private:
  struct Ring {
    UniqueFd fd;
    void* pages = nullptr;
  };
  MappingEvents() = default;
  bool drain(const Ring& ring, const std::function<void(const MappingEvent&)>& visit) const;
  void close();

  std::vector<Ring> rings_;
};

}  // namespace mapscope
