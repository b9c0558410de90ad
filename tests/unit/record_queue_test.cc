// SPDX-License-Identifier: Apache-2.0
#include "agent/collect/record_queue.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace mapscope {
namespace {

constexpr size_t kQueueBytes = 1 << 20;

template <typename Record>
Record record_of(ms_record_type type, uint32_t tid) {
  Record record{};
  record.header.type = type;
  record.header.tid = tid;
  return record;
}

template <typename Record>
void accept(RecordQueue& queue, const Record& record) {
  queue.accept(&record, sizeof(record));
}

std::vector<uint32_t> threads_of(const Batch& batch) {
  std::vector<uint32_t> threads;
  batch.for_each([&](const ms_record_header& header) { threads.push_back(header.tid); });
  return threads;
}

TEST(RecordQueue, RecordsOfDifferentSizesComeOutInOrder) {
  RecordQueue queue(kQueueBytes);
  accept(queue, record_of<ms_stack_record>(MS_RECORD_STACK, 1));
  accept(queue, record_of<ms_process_record>(MS_RECORD_PROCESS, 2));
  accept(queue, record_of<ms_resize_record>(MS_RECORD_RESIZE, 3));
  Batch batch;
  EXPECT_TRUE(queue.take(batch));
  EXPECT_EQ(threads_of(batch), (std::vector<uint32_t>{1, 2, 3}));
  EXPECT_FALSE(queue.take(batch));
  EXPECT_TRUE(threads_of(batch).empty());
}

TEST(RecordQueue, EveryOtherSizeAndTypeIsRefused) {
  RecordQueue queue(kQueueBytes);
  uint64_t refused = 0;
  const std::vector<uint8_t> zeros(2 * sizeof(ms_stack_record));
  for (const uint32_t type : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U, UINT32_MAX}) {
    std::vector<uint8_t> bytes = zeros;
    std::memcpy(bytes.data(), &type, sizeof(type));
    for (size_t size = 0; size <= bytes.size(); ++size) {
      if (size > 0 && size == record_size(type)) continue;
      queue.accept(bytes.data(), size);
      ++refused;
    }
  }
  Batch batch;
  EXPECT_FALSE(queue.take(batch));
  EXPECT_EQ(queue.accepted()[0], refused);
}

TEST(RecordQueue, WhatDoesNotFitIsCountedByType) {
  RecordQueue queue(sizeof(ms_resize_record) + sizeof(ms_process_record));
  for (uint32_t i = 0; i < 3; ++i) accept(queue, record_of<ms_resize_record>(MS_RECORD_RESIZE, i));
  accept(queue, record_of<ms_process_record>(MS_RECORD_PROCESS, 9));
  EXPECT_EQ(queue.overflowed()[MS_RECORD_RESIZE], 2U);
  EXPECT_EQ(queue.accepted()[MS_RECORD_RESIZE], 1U);
  Batch batch;
  queue.take(batch);
  EXPECT_EQ(threads_of(batch), (std::vector<uint32_t>{0, 9}));
}

}  // namespace
}  // namespace mapscope
