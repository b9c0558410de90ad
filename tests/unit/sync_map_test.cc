// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent/runtimes/sync_map/room.h"

namespace mapscope {
namespace {

using sync_map::Field;
using sync_map::runtime;

// As the probe with so many fields reads it.
ms_resize_record point(unsigned fields) {
  ms_resize_record record{};
  record.flags = MS_RESIZE_POINT;
  record.begin_valid = static_cast<uint8_t>((1U << fields) - 1);
  record.begin_fields[Field::kMap] = 0xc000012340;
  return record;
}

TEST(SyncMap, PromotionHasTheEntriesOfTheDirtyPart) {
  ms_resize_record record = point(Field::kDirtyEntries + 1);
  record.begin_fields[Field::kMisses] = 101;
  record.begin_fields[Field::kDirtyEntries] = 100;
  const ResizeMeaning meaning = runtime().normalize(record, nullptr).value();
  EXPECT_EQ(meaning.kind, "promotion");
  EXPECT_EQ(meaning.entries, 100U);
  EXPECT_EQ(meaning.misses, 101U);
  EXPECT_EQ(meaning.map_addr, 0xc000012340U);
  EXPECT_EQ(meaning.map_type, "sync.Map");
  EXPECT_FALSE(meaning.old_slots || meaning.new_slots);
}

TEST(SyncMap, RebuildHasTheEntriesToBeCopied) {
  ms_resize_record record = point(Field::kRebuilt + 1);
  record.begin_fields[Field::kEntries] = 77;
  const ResizeMeaning meaning = runtime().normalize(record, nullptr).value();
  EXPECT_EQ(meaning.kind, "rebuild");
  EXPECT_EQ(meaning.entries, 77U);
  EXPECT_FALSE(meaning.misses);
}

TEST(SyncMap, ExpansionHasNoEntries) {
  const ResizeMeaning meaning = runtime().normalize(point(Field::kExpanded + 1), nullptr).value();
  EXPECT_EQ(meaning.kind, "expansion");
  EXPECT_FALSE(meaning.entries);
}

TEST(SyncMap, UnreadEntriesAreUnknown) {
  ms_resize_record record = point(Field::kDirtyEntries);
  const ResizeMeaning meaning = runtime().normalize(record, nullptr).value();
  EXPECT_EQ(meaning.kind, "promotion");
  EXPECT_FALSE(meaning.entries);
  EXPECT_EQ(meaning.misses, 0U);
}

TEST(SyncMap, EntriesBeyondMemoryAreCorrupt) {
  ms_resize_record record = point(Field::kRebuilt + 1);
  record.begin_fields[Field::kEntries] = UINT64_MAX;
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  ASSERT_FALSE(meaning);
  EXPECT_EQ(meaning.error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace mapscope
