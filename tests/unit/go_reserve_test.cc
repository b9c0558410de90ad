// SPDX-License-Identifier: Apache-2.0
// What Go's runtimes make of a hint; and advice that is checked by applying it to maps that grow by
// their rules.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "agent/model/site_table.h"
#include "agent/runtimes/go_classic/reserve.h"
#include "agent/runtimes/go_classic/room.h"
#include "agent/runtimes/go_swiss/reserve.h"
#include "agent/runtimes/go_swiss/room.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

using go_swiss::Shape;

constexpr GoVersion kClassic{1, 23, 5};
constexpr GoVersion kSix{1, 21, 13};
constexpr GoVersion kSwiss{1, 27, 4};
constexpr uint64_t kTableSlots = 1024;

using OnGrowth = std::function<void(const ms_resize_record&)>;

// A map of 2^log2 buckets, as far as its size goes.
class ClassicMap {
 public:
  ClassicMap(uint64_t hint, OnGrowth grows) : grows_(std::move(grows)) {
    while (overloads(hint)) ++log2_;
  }
  void insert() {
    if (overloads(count_ + 1)) {
      ms_resize_record record{};
      record.begin_valid = 0x3d;
      record.begin_fields[go_classic::kMap] = 0xc000010000;
      record.begin_fields[go_classic::kCount] = count_;
      record.begin_fields[go_classic::kLog2] = log2_;
      grows_(record);
      ++log2_;
    }
    ++count_;
  }

 private:
  // runtime.overLoadFactor
  [[nodiscard]] bool overloads(uint64_t count) const {
    return count > 8 && count > 13 * ((uint64_t{1} << log2_) / 2);
  }
  OnGrowth grows_;
  uint64_t count_ = 0;
  uint64_t log2_ = 0;
};

// A map of tables, by internal/runtime/maps NewMap(), newTable(), rehash() and split().
class SwissMap {
 public:
  SwissMap(uint64_t hint, std::mt19937_64& random, OnGrowth grows)
      : random_(random), grows_(std::move(grows)) {
    if (hint <= 8) return;
    const uint64_t target = hint * 8 / 7;
    const uint64_t size = std::bit_ceil((target + kTableSlots - 1) / kTableSlots);
    const auto depth = static_cast<unsigned>(std::countr_zero(size));
    for (uint64_t i = 0; i < size; ++i) {
      tables_.push_back({std::bit_ceil(std::max<uint64_t>(target / size, 8)), depth, {}});
      directory_.push_back(i);
    }
  }

  void insert() {
    const uint64_t hash = random_();
    if (directory_.empty()) {
      if (small_.size() == 8) grow_to_table();
      if (directory_.empty()) {
        small_.push_back(hash);
        return;
      }
    }
    ++used_;
    while (is_full(table_of(hash))) rehash(hash);
    table_of(hash).hashes.push_back(hash);
  }

 private:
  struct Table {
    uint64_t capacity;
    unsigned depth;
    std::vector<uint64_t> hashes;
  };
  static bool is_full(const Table& table) { return table.hashes.size() == table.capacity / 8 * 7; }
  [[nodiscard]] size_t index_of(uint64_t hash) const {
    const auto depth = std::countr_zero(directory_.size());
    return depth == 0 ? 0 : hash >> (64 - static_cast<unsigned>(depth));
  }
  Table& table_of(uint64_t hash) { return tables_[directory_[index_of(hash)]]; }

  void grow_to_table() {
    ms_resize_record record{};
    record.begin_valid = 7;
    record.begin_fields[go_swiss::kMap] = 0xc000010000;
    record.begin_fields[go_swiss::kUsed] = 8;
    grows_(record);
    tables_.push_back({16, 0, small_});
    directory_.push_back(0);
    used_ = 8;
  }

  void rehash(uint64_t hash) {
    Table& table = table_of(hash);
    ms_resize_record record{};
    record.begin_valid = 0x7f;
    record.begin_fields[go_swiss::kMap] = 0xc000010000;
    record.begin_fields[go_swiss::kUsed] = table.hashes.size();
    record.begin_fields[go_swiss::kCapacity] = table.capacity;
    record.begin_fields[go_swiss::kLocalDepth] = table.depth;
    record.begin_fields[go_swiss::kDirectory] = directory_.size();
    record.begin_fields[go_swiss::kMapUsed] = used_ - 1;
    grows_(record);
    if (table.capacity < kTableSlots) {
      table.capacity *= 2;
    } else {
      split(directory_[index_of(hash)]);
    }
  }

  void split(size_t number) {
    const unsigned depth = tables_[number].depth;
    if (directory_.size() == size_t{1} << depth) {
      std::vector<size_t> twice;
      for (const size_t table : directory_) twice.insert(twice.end(), 2, table);
      directory_ = twice;
    }
    const auto global_depth = static_cast<unsigned>(std::countr_zero(directory_.size()));
    tables_.push_back({kTableSlots, depth + 1, {}});
    std::vector<uint64_t> all;
    all.swap(tables_[number].hashes);
    tables_[number].depth = depth + 1;
    for (size_t i = 0; i < directory_.size(); ++i) {
      if (directory_[i] == number && (i >> (global_depth - depth - 1) & 1) != 0)
        directory_[i] = tables_.size() - 1;
    }
    for (const uint64_t hash : all) table_of(hash).hashes.push_back(hash);
  }

  std::mt19937_64& random_;
  OnGrowth grows_;
  std::vector<uint64_t> small_;
  std::vector<Table> tables_;
  std::vector<size_t> directory_;
  uint64_t used_ = 0;
};

template <typename Map>
uint64_t growths_of(Map map, const uint64_t& growths, uint64_t entries) {
  for (uint64_t i = 0; i < entries; ++i) map.insert();
  return growths;
}

uint64_t swiss_growths(uint64_t hint, uint64_t entries, std::mt19937_64& random) {
  uint64_t growths = 0;
  const OnGrowth count = [&](const ms_resize_record& /*record*/) { ++growths; };
  return growths_of(SwissMap(hint, random, count), growths, entries);
}

uint64_t classic_growths(uint64_t hint, uint64_t entries) {
  uint64_t growths = 0;
  const OnGrowth count = [&](const ms_resize_record& /*record*/) { ++growths; };
  return growths_of(ClassicMap(hint, count), growths, entries);
}

TEST(GoSwissReserve, ShapesAreThoseOfNewMap) {
  EXPECT_EQ(go_swiss::made_for(8), (Shape{1, 8}));
  EXPECT_EQ(go_swiss::made_for(9), (Shape{1, 16}));
  EXPECT_EQ(go_swiss::made_for(14), (Shape{1, 16}));
  EXPECT_EQ(go_swiss::made_for(15), (Shape{1, 32}));
  EXPECT_EQ(go_swiss::made_for(896), (Shape{1, 1024}));
  EXPECT_EQ(go_swiss::made_for(897), (Shape{2, 512}));
  EXPECT_EQ(go_swiss::made_for(898), (Shape{2, 1024}));
  EXPECT_EQ(go_swiss::made_for(UINT64_MAX), (Shape{1, 8}));
}

TEST(GoSwissReserve, HintsAreTheFewest) {
  std::vector<Shape> shapes;
  for (uint64_t slots = 16; slots <= 1024; slots *= 2) shapes.push_back({1, slots});
  for (uint64_t tables = 2; tables <= uint64_t{1} << 30; tables *= 2)
    shapes.push_back({tables, kTableSlots});
  for (const Shape& shape : shapes) {
    const uint64_t hint = go_swiss::hint_for(shape);
    EXPECT_EQ(go_swiss::made_for(hint), shape) << hint;
    EXPECT_NE(go_swiss::made_for(hint - 1), shape) << hint;
  }
}

TEST(GoSwissReserve, HintsForEntries) {
  const auto hint = [](uint64_t entries) {
    return go_swiss::reserve_for(entries, nullptr, kSwiss).hint;
  };
  EXPECT_EQ(hint(8), 0U);
  EXPECT_EQ(hint(9), 9U);
  EXPECT_EQ(hint(15), 15U);
  EXPECT_EQ(hint(1000), 898U);
  EXPECT_EQ(hint(1793), 1796U);
  EXPECT_EQ(hint(7171), 7182U);
}

TEST(GoSwissReserve, HintsBelowLeaveGrowths) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same in every run
  EXPECT_EQ(swiss_growths(897, 1000, random), 2U);
  EXPECT_EQ(swiss_growths(898, 1000, random), 0U);
  EXPECT_EQ(swiss_growths(8, 9, random), 1U);
  EXPECT_EQ(swiss_growths(9, 9, random), 0U);
  EXPECT_GE(swiss_growths(1793, 1800, random), 1U);
  EXPECT_EQ(swiss_growths(1796, 1800, random), 0U);
  EXPECT_GE(swiss_growths(7171, 7800, random), 15U);
  EXPECT_EQ(swiss_growths(7182, 7800, random), 0U);
}

TEST(GoSwissReserve, FewMapsOfWhatATableHoldsHaveOneThatIsTooFull) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp)
  constexpr int kMaps = 1000;
  for (const uint64_t tables : {1U, 2U, 16U}) {
    const Shape shape{tables, kTableSlots};
    const uint64_t entries = go_swiss::holds(shape);
    EXPECT_LE(entries, 896 * tables);
    EXPECT_GE(entries, 780 * tables);
    int too_full = 0;
    for (int i = 0; i < kMaps; ++i)
      too_full += swiss_growths(go_swiss::hint_for(shape), entries, random) != 0 ? 1 : 0;
    // One is expected; 8 or more happen once in 100,000.
    EXPECT_LT(too_full, tables == 1 ? 1 : 8) << tables << " tables of " << entries;
  }
}

TEST(GoSwissReserve, BytesAreThoseOfTheAllocator) {
  const GoMapType ints{"map[int]int", 8, 8, 136, false};
  const GoMapType strings{"map[string]string", 16, 16, 264, true};
  // 272 of 288, 17408 of 18432; a table's header takes 32, the pointer to it 8.
  EXPECT_EQ(go_swiss::reserve_of({1, 16}, &ints, kSwiss).bytes, 288U + 32 + 8);
  EXPECT_EQ(go_swiss::reserve_of({2, 1024}, &ints, kSwiss).bytes, 2 * (18432U + 32) + 16);
  // 528 and a header of 8 take 576; 33792 take 5 pages.
  EXPECT_EQ(go_swiss::table_bytes(16, strings, kSwiss), 576U + 32);
  EXPECT_EQ(go_swiss::table_bytes(1024, strings, kSwiss), 40960U + 32);
  EXPECT_EQ(go_swiss::reserve_of({2, 1024}, nullptr, kSwiss).bytes, 0U);
}

TEST(GoClassicReserve, AMapMadeForWhatItTakesDoesNotGrow) {
  for (const uint64_t entries : {1U, 8U, 9U, 13U, 14U, 100U, 1000U, 53249U}) {
    const Reserve reserve = go_classic::reserve_for(entries, kClassic);
    EXPECT_EQ(classic_growths(reserve.hint, entries), 0U) << entries;
    EXPECT_EQ(classic_growths(reserve.hint, reserve.holds), 0U) << entries;
    EXPECT_EQ(classic_growths(reserve.hint, reserve.holds + 1), 1U) << entries;
    if (entries > 8) {
      EXPECT_GE(classic_growths(reserve.hint - 1, reserve.holds), 1U) << entries;
    }
  }
}

TEST(GoClassicReserve, Go121HoldsSixABucket) {
  EXPECT_EQ(go_classic::reserve_for(13, kClassic), (Reserve{9, 16, 13, 0}));
  EXPECT_EQ(go_classic::reserve_for(13, kSix), (Reserve{13, 32, 24, 0}));
  EXPECT_EQ(go_classic::reserve_for(9, kSix), (Reserve{9, 16, 12, 0}));
  EXPECT_EQ(go_classic::reserve_for(13, {1, 22, 0}).holds, 13U);
}

TEST(GoClassicReserve, BytesAreThoseOfTheAllocator) {
  const GoMapType ints{"map[int]int", 8, 8, 144, false};
  EXPECT_EQ(go_classic::array_bytes(1, ints, kClassic), 288U);
  // 17 buckets take 2448 of 2688, into which 18 go.
  EXPECT_EQ(go_classic::array_bytes(4, ints, kClassic), 2688U);
  EXPECT_EQ(go_classic::array_bytes(10, ints, kClassic), 20U * 8192);
}

// Fills a map made for the hint; what it tells of its growths goes to the table.
void fill_swiss(SiteTable& sites, uint64_t hint, uint64_t entries, std::mt19937_64& random) {
  Sample sample;
  SwissMap map(hint, random, [&](const ms_resize_record& record) {
    const ResizeMeaning meaning = go_swiss::runtime().normalize(record, nullptr).value();
    sample.resize.runtime = &go_swiss::runtime();
    sample.resize.old_slots = meaning.old_slots;
    sample.resize.new_slots = meaning.new_slots;
    sample.resize.entries = meaning.entries;
    sample.resize.level = meaning.level;
    sample.resize.old_directory = meaning.old_directory;
    sample.resize.new_directory = meaning.new_directory;
    sample.resize.reserve = meaning.reserve;
    sites.add(sample.resize);
  });
  for (uint64_t i = 0; i < entries; ++i) map.insert();
}

TEST(Advice, LeavesNoGrowthOfASwissMap) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp)
  for (const uint64_t entries : {9U, 20U, 897U, 1000U, 1793U, 7900U, 20000U, 200000U}) {
    SiteTable sites;
    fill_swiss(sites, 0, entries, random);
    const SiteTotals site = sites.sites()[0];
    ASSERT_TRUE(site.advice) << entries;
    EXPECT_EQ(site.maps, 1U) << entries;
    EXPECT_EQ(site.advice->savings.growths, site.growths) << entries;
    EXPECT_EQ(swiss_growths(site.advice->reserve.hint, entries, random), 0U) << entries;
  }
}

TEST(Advice, OfAHintOneTooFewIsTheNextTable) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp)
  SiteTable sites;
  fill_swiss(sites, 897, 1000, random);
  const SiteTotals site = sites.sites()[0];
  EXPECT_EQ(site.growths, 2U);
  EXPECT_EQ(site.maps, 1U);
  EXPECT_EQ(site.advice->reserve.hint, 898U);
}

TEST(Advice, LeavesNoGrowthOfAClassicMap) {
  for (const uint64_t entries : {9U, 14U, 1000U, 7171U, 200000U}) {
    SiteTable sites;
    Sample sample;
    ClassicMap map(0, [&](const ms_resize_record& record) {
      const ResizeMeaning meaning = go_classic::runtime().normalize(record, nullptr).value();
      sample.resize.old_slots = meaning.old_slots;
      sample.resize.new_slots = meaning.new_slots;
      sample.resize.entries = meaning.entries;
      sample.resize.reserve = meaning.reserve;
      sites.add(sample.resize);
    });
    for (uint64_t i = 0; i < entries; ++i) map.insert();
    const SiteTotals site = sites.sites()[0];
    ASSERT_TRUE(site.advice) << entries;
    EXPECT_EQ(site.advice->savings.growths, site.growths) << entries;
    EXPECT_EQ(classic_growths(site.advice->reserve.hint, entries), 0U) << entries;
    EXPECT_GE(site.advice->reserve.holds, entries);
  }
}

}  // namespace
}  // namespace mapscope
