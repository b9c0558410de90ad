// SPDX-License-Identifier: Apache-2.0
// Which control groups limit a process, and what their files say.
#include "agent/discover/memory_limit.h"

#include <gtest/gtest.h>

#include <string>

namespace mapscope::test {
namespace {

using Groups = std::vector<MemoryGroup>;

TEST(MemoryGroups, OfTheUnifiedHierarchyFromTheProcessUp) {
  EXPECT_EQ(memory_groups("0::/a.slice/b.service\n"),
            (Groups{{"/a.slice/b.service", false}, {"/a.slice", false}, {"", false}}));
  EXPECT_EQ(memory_groups("0::/\n"), (Groups{{"", false}}));
}

TEST(MemoryGroups, OfTheFirstVersionWhereMemoryIsThere) {
  EXPECT_EQ(memory_groups("5:cpu,memory:/x\n1:name=systemd:/y\n0::/z\n"),
            (Groups{{"/memory/x", true}, {"/memory", true}}));
  EXPECT_EQ(memory_groups("5:memory_like:/x\n0::/z\n"), (Groups{{"/z", false}, {"", false}}));
}

TEST(MemoryGroups, OutsideOfTheNamespaceOnlyTheTopIsKnown) {
  EXPECT_EQ(memory_groups("0::/../../kubepods/pod1/c\n"), (Groups{{"", false}}));
  EXPECT_EQ(memory_groups("0::/a/../../b\n"), (Groups{{"", false}}));
}

TEST(MemoryGroups, HostileTextsAreBounded) {
  EXPECT_TRUE(memory_groups("").empty());
  EXPECT_TRUE(memory_groups("no colons\n::\n:memory\n").empty());
  std::string deep = "0::";
  for (int i = 0; i < 1000; ++i) deep += "/x";
  EXPECT_EQ(memory_groups(deep).size(), kMaxMemoryGroups);
  EXPECT_EQ(memory_groups(deep).back(), (MemoryGroup{"", false}));
}

TEST(MemoryLimit, WordsAndTheGreatestNumberAreNone) {
  EXPECT_EQ(parse_memory_limit("536870912\n"), 536870912U);
  EXPECT_EQ(parse_memory_limit("0\n"), 0U);
  EXPECT_FALSE(parse_memory_limit("max\n"));
  EXPECT_FALSE(parse_memory_limit("9223372036854771712\n"));
  EXPECT_FALSE(parse_memory_limit("99999999999999999999999\n"));
  EXPECT_FALSE(parse_memory_limit("-1\n"));
  EXPECT_FALSE(parse_memory_limit(""));
}

TEST(MemoryStat, KeyIsAWholeWordAtTheStartOfALine) {
  const std::string stat = "anon 1\nactive_inactive_file 2\ninactive_file_x 3\ninactive_file 4\n";
  EXPECT_EQ(parse_memory_stat(stat, "inactive_file"), 4U);
  EXPECT_EQ(parse_memory_stat(stat, "anon"), 1U);
  EXPECT_FALSE(parse_memory_stat(stat, "file"));
  EXPECT_FALSE(parse_memory_stat("inactive_file x\n", "inactive_file"));
}

TEST(MemoryHeadroom, OfNoProcessIsUnknown) { EXPECT_FALSE(memory_headroom(0x7ffffffe)); }

}  // namespace
}  // namespace mapscope::test
