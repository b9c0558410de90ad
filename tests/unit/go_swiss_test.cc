// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/runtimes/go_swiss/probes.h"
#include "agent/runtimes/go_swiss/room.h"

namespace mapscope {
namespace {

using go_swiss::Field;
using go_swiss::probes_of;
using go_swiss::runtime;

struct Table {
  uint64_t used;
  uint64_t capacity;
  uint64_t local_depth;
  uint64_t directory;
};

ms_resize_record rehash_record(const Table& table) {
  ms_resize_record record{};
  record.begin_valid = 0x7f;
  record.begin_fields[Field::kMap] = 0xc000012340;
  record.begin_fields[Field::kUsed] = table.used;
  record.begin_fields[Field::kCapacity] = table.capacity;
  record.begin_fields[Field::kLocalDepth] = table.local_depth;
  record.begin_fields[Field::kDirectory] = table.directory;
  record.begin_fields[Field::kMapUsed] = 5000;
  return record;
}

ms_resize_record prune_record(const Table& table) {
  ms_resize_record record = rehash_record(table);
  record.begin_valid = 0xff;
  return record;
}

ms_resize_record small_record(uint64_t used, bool full_only) {
  ms_resize_record record{};
  record.begin_valid = full_only ? 0xf : 7;
  record.begin_fields[Field::kMap] = 0xc000012340;
  record.begin_fields[Field::kUsed] = used;
  return record;
}

ResizeMeaning meaning_of(const ms_resize_record& record) {
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  EXPECT_TRUE(meaning) << meaning.error().text;
  return meaning ? *meaning : ResizeMeaning{};
}

ErrorKind refusal(const ms_resize_record& record) {
  const Result<ResizeMeaning> meaning = runtime().normalize(record, nullptr);
  return meaning ? ErrorKind::kUsage : meaning.error().kind;  // kUsage: it was accepted
}

TEST(GoSwiss, GrowIsUnderstood) {
  const ResizeMeaning meaning = meaning_of(rehash_record({448, 512, 0, 1}));
  EXPECT_EQ(meaning.kind, "grow");
  EXPECT_EQ(meaning.trigger, "load");
  EXPECT_EQ(meaning.map_addr, 0xc000012340U);
  EXPECT_EQ(meaning.old_slots, 512U);
  EXPECT_EQ(meaning.new_slots, 1024U);
  EXPECT_EQ(meaning.entries, 5000U);
  EXPECT_EQ(meaning.old_directory, 1U);
  EXPECT_EQ(meaning.new_directory, 1U);
  EXPECT_FALSE(meaning.level);
}

TEST(GoSwiss, GrowWithRemovedEntriesIsForTombstones) {
  EXPECT_EQ(meaning_of(rehash_record({447, 512, 0, 1})).trigger, "tombstones");
  EXPECT_EQ(meaning_of(rehash_record({0, 16, 0, 1})).trigger, "tombstones");
}

TEST(GoSwiss, TableOfOneGroupHoldsAllButOne) {
  EXPECT_EQ(meaning_of(rehash_record({7, 8, 1, 2})).trigger, "load");
  EXPECT_EQ(refusal(rehash_record({8, 8, 1, 2})), ErrorKind::kCorrupt);
}

TEST(GoSwiss, SplitDoublesTheDirectoryWhenAllItsBitsLeadToTheTable) {
  const ResizeMeaning doubles = meaning_of(rehash_record({896, 1024, 3, 8}));
  EXPECT_EQ(doubles.kind, "split");
  EXPECT_EQ(doubles.old_slots, 1024U);
  EXPECT_EQ(doubles.new_slots, 2048U);
  EXPECT_EQ(doubles.old_directory, 8U);
  EXPECT_EQ(doubles.new_directory, 16U);
  EXPECT_EQ(doubles.level, 3U);
  const ResizeMeaning stays = meaning_of(rehash_record({896, 1024, 2, 8}));
  EXPECT_EQ(stays.kind, "split");
  EXPECT_EQ(stays.new_directory, 8U);
}

TEST(GoSwiss, GrowNeverDoublesTheDirectory) {
  EXPECT_EQ(meaning_of(rehash_record({448, 512, 3, 8})).new_directory, 8U);
}

TEST(GoSwiss, PruneIsUnderstood) {
  const ResizeMeaning meaning = meaning_of(prune_record({700, 1024, 1, 4}));
  EXPECT_EQ(meaning.kind, "prune");
  EXPECT_EQ(meaning.trigger, "tombstones");
  EXPECT_EQ(meaning.old_slots, 1024U);
  EXPECT_EQ(meaning.new_slots, 1024U);
  EXPECT_EQ(meaning.new_directory, 4U);
  EXPECT_FALSE(meaning.new_bytes);
}

TEST(GoSwiss, SmallMapGrowsIntoATable) {
  const ResizeMeaning meaning = meaning_of(small_record(8, false));
  EXPECT_EQ(meaning.kind, "small_to_table");
  EXPECT_EQ(meaning.trigger, "load");
  EXPECT_EQ(meaning.old_slots, 8U);
  EXPECT_EQ(meaning.new_slots, 16U);
  EXPECT_EQ(meaning.entries, 8U);
  EXPECT_EQ(meaning.old_directory, 0U);
  EXPECT_EQ(meaning.new_directory, 1U);
  EXPECT_EQ(meaning.map_addr, 0xc000012340U);
}

TEST(GoSwiss, SmallMapThatGrowsForAnyWriteIsOnlyFull) {
  EXPECT_EQ(meaning_of(small_record(8, true)).trigger, "full");
}

TEST(GoSwiss, SmallMapGrowsForNewKeysOnlySince127) {
  const auto marks = [](const GoVersion& version) {
    const auto probes = probes_of(version);
    const auto spec = std::find_if(probes.begin(), probes.end(), [](const ProbeSpec& one) {
      return one.symbol == "internal/runtime/maps.(*Map).growToTable";
    });
    return spec->descriptor.field_count > Field::kFullOnly;
  };
  EXPECT_TRUE(marks({1, 24, 0}));
  EXPECT_TRUE(marks({1, 26, 11}));
  EXPECT_FALSE(marks({1, 27, 0}));
}

TEST(GoSwiss, ImpossibleTablesAreCorrupt) {
  for (const Table& table :
       {Table{0, 0, 0, 1}, Table{1, 4, 0, 1}, Table{1, 24, 0, 1}, Table{1, 2048, 0, 1},
        Table{897, 1024, 0, 1}, Table{65535, 1024, 0, 1}, Table{1, 16, 0, 0}, Table{1, 16, 0, 3},
        Table{1, 16, 0, 1ULL << 41}, Table{1, 16, 1, 1}, Table{1, 16, 255, 8}}) {
    EXPECT_EQ(refusal(rehash_record(table)), ErrorKind::kCorrupt)
        << table.used << " of " << table.capacity << " at " << table.local_depth << " of "
        << table.directory;
    EXPECT_EQ(refusal(prune_record(table)), ErrorKind::kCorrupt);
  }
}

TEST(GoSwiss, UnreadTableIsCorrupt) {
  for (const Field field :
       {Field::kUsed, Field::kCapacity, Field::kLocalDepth, Field::kDirectory}) {
    ms_resize_record record = rehash_record({448, 512, 0, 1});
    record.begin_valid &= static_cast<uint8_t>(~(1U << field));
    EXPECT_EQ(refusal(record), ErrorKind::kCorrupt) << field;
  }
}

TEST(GoSwiss, ImpossibleSmallMapsAreCorrupt) {
  EXPECT_EQ(refusal(small_record(9, false)), ErrorKind::kCorrupt);
  ms_resize_record unread = small_record(8, false);
  unread.begin_valid = 3;
  EXPECT_EQ(refusal(unread), ErrorKind::kCorrupt);
}

TEST(GoSwiss, BeginsAndEndsArePairedByTheGoroutine) {
  for (const GoVersion& version : {GoVersion{1, 24, 0}, GoVersion{1, 27, 0}}) {
    for (const ProbeSpec& spec : probes_of(version)) {
      if (spec.descriptor.kind == MS_PROBE_FATAL) continue;
      EXPECT_EQ(spec.descriptor.key_field, MS_NO_FIELD) << spec.symbol;
    }
  }
}

}  // namespace
}  // namespace mapscope
