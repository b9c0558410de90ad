// SPDX-License-Identifier: Apache-2.0
// For how many entries maps should be made, from the sizes that they reached; and in words.
#include "agent/model/advice.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/export/advice_text.h"
#include "agent/model/site_table.h"
#include "tests/support/sample_resize.h"
#include "tests/support/table_growth.h"

namespace mapscope {
namespace {

// Maps that grow from 8 slots on by doubling, and take 16 bytes a slot; each growth takes 10 ns.
class Sizes {
 public:
  void add(uint64_t maps, uint64_t last_slots) {
    for (uint64_t i = 0; i < maps; ++i) {
      uint8_t before = 0;
      for (uint64_t slots = 8; slots < last_slots; slots *= 2) {
        const uint8_t size =
            histogram_.add({{slots + 1, 2 * slots, 2 * slots, 32 * slots}, slots, 10, 16 * slots});
        before == 0 ? histogram_.arrives(size) : histogram_.moves(before, size);
        before = size;
      }
    }
  }
  [[nodiscard]] Advice advice() const { return histogram_.advice().value(); }

 private:
  SizeHistogram histogram_;
};

TEST(SizeHistogram, NothingGrewNoAdvice) { EXPECT_FALSE(SizeHistogram().advice()); }

TEST(SizeHistogram, OneMapIsMadeForItsLastSize) {
  Sizes sizes;
  sizes.add(1, 1024);
  const Advice advice = sizes.advice();
  EXPECT_EQ(advice.reserve, (Reserve{513, 1024, 1024, 16384}));
  EXPECT_EQ(advice.savings.growths, 7U);
  EXPECT_EQ(advice.savings.time_ns, 70U);
  EXPECT_EQ(advice.savings.bytes, 16U * (1024 - 8));
  EXPECT_EQ(advice.maps, 1U);
  EXPECT_EQ(advice.beyond, 0U);
  EXPECT_EQ(advice.smaller, 0U);
  EXPECT_EQ(advice.added_bytes, 0U);
}

// 5,001 maps made for the 100,000 entries of one would take 11 GB.
TEST(SizeHistogram, OneLargeMapSaysNothingOfTheOthers) {
  Sizes sizes;
  sizes.add(5000, 32);
  sizes.add(1, 131072);
  const Advice advice = sizes.advice();
  EXPECT_EQ(advice.reserve.slots, 32U);
  EXPECT_EQ(advice.maps, 5001U);
  EXPECT_EQ(advice.beyond, 1U);
  EXPECT_EQ(advice.largest.hint, 65537U);
  EXPECT_EQ(advice.smaller, 0U);
  EXPECT_EQ(advice.added_bytes, 0U);
  EXPECT_EQ(advice.savings.growths, 2U * 5001);
}

TEST(SizeHistogram, OneOfTwentyMayNeedMore) {
  Sizes sizes;
  sizes.add(19, 512);
  sizes.add(1, 1024);
  EXPECT_EQ(sizes.advice().reserve.slots, 512U);
  sizes.add(1, 1024);
  EXPECT_EQ(sizes.advice().reserve.slots, 1024U);
  EXPECT_EQ(sizes.advice().smaller, 19U);
  EXPECT_EQ(sizes.advice().added_bytes, 19U * 512 * 16);
}

TEST(SizeHistogram, NoMoreMemoryIsAddedThanGarbageSaved) {
  Sizes even;
  even.add(10, 32);
  even.add(10, 65536);
  EXPECT_EQ(even.advice().reserve.slots, 65536U);
  Sizes few;
  few.add(10, 32);
  few.add(9, 65536);
  EXPECT_EQ(few.advice().reserve.slots, 32U);
  EXPECT_EQ(few.advice().beyond, 9U);
  EXPECT_EQ(few.advice().added_bytes, 0U);
}

TEST(SizeHistogram, UnknownBytesAreNotSummed) {
  SizeHistogram histogram;
  for (int i = 0; i < 2; ++i) histogram.arrives(histogram.add({{9, 16, 13, 0}, 8, 1, 0}));
  for (int i = 0; i < 2; ++i) histogram.arrives(histogram.add({{14, 32, 26, 512}, 16, 1, 256}));
  EXPECT_EQ(histogram.advice()->smaller, 2U);
  EXPECT_EQ(histogram.advice()->added_bytes, 0U);
}

TEST(SizeHistogram, HostileSizesAreBounded) {
  SizeHistogram histogram;
  for (uint64_t slots = 1; slots != 0; slots *= 2) {
    const uint8_t size = histogram.add({{UINT64_MAX, slots, 0, UINT64_MAX}, slots, 1, UINT64_MAX});
    histogram.arrives(size);
    histogram.moves(size, 64);
  }
  EXPECT_EQ(histogram.maps(), 64U);
  EXPECT_TRUE(histogram.advice());
}

SiteTotals site_of(const std::vector<Resize>& growths) {
  SiteTable sites;
  for (const Resize& growth : growths) sites.add(growth);
  return sites.sites()[0];
}

TEST(Advice, IsWordedByTheRoom) {
  const Sample sample;
  EXPECT_EQ(advice(site_of(splitting_map(sample))),
            "make(map[string]*main.Session, 14364) where it is made, at least 14,364: saves 38 "
            "growths, up to 3.80 µs, 512 KiB of garbage");
}

TEST(Advice, SaysWhomItServesAndWhatItAdds) {
  SiteTotals site;
  site.room = &kSampleRuntime;
  site.map_type = "map[int]int";
  Sizes sizes;
  sizes.add(5000, 32);
  sizes.add(4, 131072);
  site.advice = sizes.advice();
  EXPECT_EQ(
      advice(site),
      "make(map[int]int, 17) where it is made, at least 17 (the table then holds 32): saves "
      "10,008 growths, up to 100 µs, 1.83 MiB of garbage; enough for 5,000 of 5,004 maps, the "
      "largest needs 65,537");
  Sizes mixed;
  mixed.add(3, 16);
  mixed.add(10, 32);
  site.advice = mixed.advice();
  EXPECT_EQ(
      advice(site),
      "make(map[int]int, 17) where it is made, at least 17 (the table then holds 32): saves "
      "23 growths, up to 230 ns, 4.12 KiB of garbage; enough for all 13 maps; adds 768 B to 3 "
      "smaller maps, 256 B each");
}

TEST(Advice, OfOthersCodeAndOfInitSaysSo) {
  Sizes sizes;
  sizes.add(1, 16);
  SiteTotals site;
  site.advice = sizes.advice();
  EXPECT_TRUE(advice(site).starts_with("reserving 9 entries where it is made"));
  site.origin.at_init = true;
  EXPECT_TRUE(advice(site).starts_with("at init, once: reserving 9 entries"));
  site.origin.standard_library = true;
  EXPECT_TRUE(advice(site).starts_with("in the standard library, no line of yours: reserving"));
}

Runtime with_origin() {
  Runtime runtime = kSampleRuntime;
  runtime.origin = [](std::string_view function) {
    return CodeOrigin{false, function == "main.init.0"};
  };
  return runtime;
}

TEST(Advice, SiteIsAtInitWhileAllItsGrowthsAre) {
  const Runtime runtime = with_origin();
  SiteTable sites;
  Sample sample;
  sample.resize.runtime = &runtime;
  sites.add(sample.resize);
  EXPECT_FALSE(sites.sites()[0].origin.at_init);

  SiteTable others;
  const Stack usual = sample.stack;
  sample.stack.frames.push_back(Frame{});
  sample.stack.frames.back().function = "main.init.0";
  others.add(sample.resize);
  EXPECT_TRUE(others.sites()[0].origin.at_init);
  sample.stack = usual;
  others.add(sample.resize);
  EXPECT_FALSE(others.sites()[0].origin.at_init);
}

TEST(Advice, OfEverythingThatHadNoPlaceIsNone) {
  SiteTable sites(1);
  Sample sample;
  sites.add(sample.resize);
  sample.stack.frames[1].line = 99;
  sites.add(sample.resize);
  for (const SiteTotals& site : sites.sites()) EXPECT_EQ(site.advice.has_value(), !site.other);
}

TEST(Advice, TypeIsEscapedAndBounded) {
  Sizes sizes;
  sizes.add(1, 16);
  SiteTotals site;
  site.room = &kSampleRuntime;
  site.advice = sizes.advice();
  site.map_type = "map[\x1b[31m]" + std::string(5000, 'x');
  site.function = "\x1b[31m";
  const std::string text = advice(site);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_LT(text.size(), 400U);
}

}  // namespace
}  // namespace mapscope
