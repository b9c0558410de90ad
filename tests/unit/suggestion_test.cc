// SPDX-License-Identifier: Apache-2.0
#include "agent/suggestion.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

const std::vector<std::string> kKnown = {
    "--pid", "--exe", "--events", "--mode", "--comm", "--seconds", "--web.listen-address"};

TEST(Suggestion, IsTheNearestWord) {
  EXPECT_EQ(nearest_word("--pdi", kKnown), "--pid");
  EXPECT_EQ(nearest_word("--pids", kKnown), "--pid");
  EXPECT_EQ(nearest_word("--modes", kKnown), "--mode");
  EXPECT_EQ(nearest_word("--event", kKnown), "--events");
  EXPECT_EQ(nearest_word("--secnods", kKnown), "--seconds");
  EXPECT_EQ(nearest_word("-pid", kKnown), "--pid");
}

TEST(Suggestion, BeginningIsNear) {
  EXPECT_EQ(nearest_word("--web.listen", kKnown), "--web.listen-address");
}

TEST(Suggestion, WhatIsFarIsNotSuggested) {
  EXPECT_EQ(nearest_word("--verbose", kKnown), "");
  EXPECT_EQ(nearest_word("--", kKnown), "");
  EXPECT_EQ(nearest_word("", kKnown), "");
  EXPECT_EQ(nearest_word("--pid", {}), "");
}

TEST(Suggestion, TextIsEmptyWithoutOne) {
  EXPECT_EQ(suggestion_text("--pdi", kKnown), "; did you mean --pid?");
  EXPECT_EQ(suggestion_text("--verbose", kKnown), "");
}

}  // namespace
}  // namespace mapscope
