// SPDX-License-Identifier: Apache-2.0
#include "agent/base/duration.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

TEST(Duration, HasAUnitOrIsSeconds) {
  EXPECT_EQ(parse_duration("0"), 0U);
  EXPECT_EQ(parse_duration("5"), 5'000'000'000U);
  EXPECT_EQ(parse_duration("0.5"), 500'000'000U);
  EXPECT_EQ(parse_duration("7ns"), 7U);
  EXPECT_EQ(parse_duration("7us"), 7'000U);
  EXPECT_EQ(parse_duration("7µs"), 7'000U);
  EXPECT_EQ(parse_duration("5ms"), 5'000'000U);
  EXPECT_EQ(parse_duration("1.5s"), 1'500'000'000U);
  EXPECT_EQ(parse_duration("5m"), 300'000'000'000U);
  EXPECT_EQ(parse_duration("2h"), 7'200'000'000'000U);
}

TEST(Duration, EverythingElseIsNone) {
  for (const char* text : {"", "ms", "-1", "-0", "1 s", "1x", "1s2", "0x10", "1e3", "inf", "nan",
                           "1d", "1S", " 1", "5,0", "999999999999999", "1e400"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

}  // namespace
}  // namespace mapscope
