// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/mapping_events.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mapscope {
namespace {

constexpr size_t kDataPages = 32;  // a power of two: about 1,000 mappings

size_t page_bytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }
size_t ring_bytes() { return (1 + kDataPages) * page_bytes(); }

UniqueFd open_ring(int cpu) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.mmap = 1;  // executable ones; mmap2 only says how
  attributes.mmap2 = 1;
  attributes.watermark = 1;
  attributes.wakeup_watermark = UINT32_MAX;
  return UniqueFd(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
}

// include/uapi/linux/perf_event.h, PERF_RECORD_MMAP2 without a build id.
struct Mmap2Record {
  perf_event_header header;
  uint32_t pid, tid;
  uint64_t addr, len, pgoff;
  uint32_t major, minor;
  uint64_t inode, generation;
};

// Copies bytes of the ring, which may wrap around.
void copy_out(const std::byte* data, size_t size, uint64_t at, void* to, size_t bytes) {
  const size_t begin = at & (size - 1);
  const size_t first = std::min(bytes, size - begin);
  std::memcpy(to, data + begin, first);
  std::memcpy(static_cast<std::byte*>(to) + first, data, bytes - first);
}

}  // namespace

Result<MappingEvents> MappingEvents::open() {
  MappingEvents events;
  const long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
  for (int cpu = 0; cpu < cpus; ++cpu) {
    Ring ring;
    ring.fd = open_ring(cpu);
    if (!ring.fd.valid() && errno == ENODEV) continue;  // that CPU is off
    if (!ring.fd.valid()) return system_error("cannot follow executable mappings", errno);
    ring.pages =
        ::mmap(nullptr, ring_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd.get(), 0);
    if (ring.pages == MAP_FAILED)
      return system_error("cannot follow executable mappings: no ring", errno);
    events.rings_.push_back(std::move(ring));
  }
  return events;
}

MappingEvents::MappingEvents(MappingEvents&& other) noexcept
    : rings_(std::exchange(other.rings_, {})) {}

MappingEvents& MappingEvents::operator=(MappingEvents&& other) noexcept {
  std::swap(rings_, other.rings_);
  return *this;
}

MappingEvents::~MappingEvents() { close(); }

void MappingEvents::close() {
  for (const Ring& ring : rings_) ::munmap(ring.pages, ring_bytes());
  rings_.clear();
}

bool MappingEvents::drain(const std::function<void(const MappingEvent&)>& visit) {
  bool complete = true;
  for (const Ring& ring : rings_) complete &= drain(ring, visit);
  return complete;
}

bool MappingEvents::drain(const Ring& ring,
                          const std::function<void(const MappingEvent&)>& visit) const {
  auto* const control = static_cast<perf_event_mmap_page*>(ring.pages);
  const auto* const data = static_cast<const std::byte*>(ring.pages) + page_bytes();
  const size_t size = kDataPages * page_bytes();
  // The kernel writes the head after the records, and reads the tail before it writes over them.
  const uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
  bool complete = true;
  uint64_t at = control->data_tail;
  while (at < head) {
    perf_event_header header{};
    copy_out(data, size, at, &header, sizeof(header));
    if (header.size < sizeof(header)) break;
    if (header.type == PERF_RECORD_LOST) complete = false;
    if (header.type == PERF_RECORD_MMAP2 && header.size >= sizeof(Mmap2Record)) {
      Mmap2Record record{};
      copy_out(data, size, at, &record, sizeof(record));
      visit({static_cast<pid_t>(record.pid), makedev(record.major, record.minor), record.inode,
             record.generation});
    }
    at += header.size;
  }
  __atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
  return complete;
}

}  // namespace mapscope
