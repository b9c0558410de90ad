// SPDX-License-Identifier: Apache-2.0
#include "agent/collect/record_queue.h"

#include <cstring>
#include <utility>

namespace mapscope {
namespace {

static_assert(sizeof(ms_resize_record) % sizeof(uint64_t) == 0);
static_assert(sizeof(ms_stack_record) % sizeof(uint64_t) == 0);
static_assert(sizeof(ms_fatal_record) % sizeof(uint64_t) == 0);
static_assert(sizeof(ms_process_record) % sizeof(uint64_t) == 0);
static_assert(sizeof(ms_frames_record) % sizeof(uint64_t) == 0);
static_assert(sizeof(ms_race_record) % sizeof(uint64_t) == 0);

}  // namespace

size_t record_size(uint32_t type) {
  switch (type) {
    case MS_RECORD_RESIZE:
      return sizeof(ms_resize_record);
    case MS_RECORD_STACK:
      return sizeof(ms_stack_record);
    case MS_RECORD_FATAL:
      return sizeof(ms_fatal_record);
    case MS_RECORD_PROCESS:
      return sizeof(ms_process_record);
    case MS_RECORD_FRAMES:
      return sizeof(ms_frames_record);
    case MS_RECORD_RACE:
      return sizeof(ms_race_record);
    default:
      return 0;
  }
}

void Batch::append(const void* record, size_t bytes) {
  const size_t at = words_.size();
  words_.resize(at + bytes / sizeof(uint64_t));
  std::memcpy(&words_[at], record, bytes);
}

void RecordQueue::accept(const void* data, size_t bytes) {
  ms_record_header header{};
  if (bytes >= sizeof(header)) std::memcpy(&header, data, sizeof(header));
  const std::lock_guard lock(mutex_);
  if (bytes == 0 || record_size(header.type) != bytes) {
    ++accepted_[0];
    return;
  }
  if (queue_.bytes() + bytes > queue_bytes_) {
    ++overflowed_[header.type];
    return;
  }
  queue_.append(data, bytes);
  ++accepted_[header.type];
}

bool RecordQueue::take(Batch& batch) {
  batch.clear();
  const std::lock_guard lock(mutex_);
  std::swap(batch, queue_);
  return batch.bytes() > 0;
}

RecordQueue::Counts RecordQueue::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

RecordQueue::Counts RecordQueue::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflowed_;
}

}  // namespace mapscope
