// SPDX-License-Identifier: Apache-2.0
#include "agent/export/units.h"

#include <gtest/gtest.h>

#include "agent/export/place.h"
#include "agent/export/text.h"

namespace mapscope {
namespace {

TEST(Units, AreShortAndExactEnough) {
  EXPECT_EQ(human_duration(0), "0 ns");
  EXPECT_EQ(human_duration(999), "999 ns");
  EXPECT_EQ(human_duration(1000), "1.00 µs");
  EXPECT_EQ(human_duration(999'600), "1.00 ms");
  EXPECT_EQ(human_duration(1'234'567), "1.23 ms");
  EXPECT_EQ(human_duration(12'345'678), "12.3 ms");
  EXPECT_EQ(human_duration(123'456'789), "123 ms");
  EXPECT_EQ(human_duration(987'000'000'000), "987 s");
  EXPECT_EQ(human_duration(7'200'000'000'000), "2.00 h");
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(1023), "1023");
  EXPECT_EQ(human_count(1024), "1 Ki");
  EXPECT_EQ(human_count(524'288), "512 Ki");
  EXPECT_EQ(human_count(1'835'008), "1.75 Mi");
  EXPECT_EQ(human_count(UINT64_MAX), "16 Ei");
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(25'165'824), "24 MiB");
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
}

TEST(Place, FunctionGivesWayBeforeTheLine) {
  EXPECT_EQ(fit_place("main.(*Store).Put store.go:42", 29), "main.(*Store).Put store.go:42");
  EXPECT_EQ(fit_place("main.(*Store).Put store.go:42", 20), "…re).Put store.go:42");
  EXPECT_EQ(fit_place("main.(*Store).Put store.go:42", 10), "mai….go:42");
}

TEST(ShortenMiddle, KeepsTheEndAndTheWidth) {
  EXPECT_EQ(shorten_middle("short", 5), "short");
  EXPECT_EQ(shorten_middle("abcdefghij", 7), "ab…ghij");
  EXPECT_EQ(shorten_middle("äöüäöüäöü", 7), "äö…üäöü");
  for (size_t width = 3; width < 12; ++width) {
    EXPECT_EQ(character_count(shorten_middle("äbcdefghijklmn", width)), width);
  }
}

}  // namespace
}  // namespace mapscope
