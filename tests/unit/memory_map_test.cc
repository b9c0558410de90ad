// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/memory_map.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace mapscope::test {
namespace {

TEST(MemoryMap, ExecutableFileLineIsRead) {
  const auto mappings = parse_executable_mappings(
      "55d0c0000000-55d0c0002000 r--p 00000000 fe:01 1234   /usr/bin/a b\n"
      "55d0c0002000-55d0c0009000 r-xp 00002000 fe:01 1234   /usr/bin/a b\n",
      10);
  ASSERT_EQ(mappings.size(), 1U);
  EXPECT_EQ(mappings[0].start, 0x55d0c0002000U);
  EXPECT_EQ(mappings[0].end, 0x55d0c0009000U);
  EXPECT_EQ(mappings[0].offset, 0x2000U);
  EXPECT_EQ(mappings[0].dev, makedev(0xfe, 1));
  EXPECT_EQ(mappings[0].inode, 1234U);
  EXPECT_EQ(mappings[0].path, "/usr/bin/a b");
}

TEST(MemoryMap, DeletedFileLosesTheRemark) {
  const auto mappings =
      parse_executable_mappings("1000-2000 r-xp 00000000 00:01 7 /usr/lib/l.so (deleted)\n", 10);
  ASSERT_EQ(mappings.size(), 1U);
  EXPECT_EQ(mappings[0].path, "/usr/lib/l.so");
}

TEST(MemoryMap, MemoryWithoutFileIsLeftOutButTheVdso) {
  const auto mappings = parse_executable_mappings(
      "1000-2000 r-xp 00000000 00:00 0 \n"
      "3000-4000 r-xp 00000000 00:00 0   [vdso]\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]\n",
      10);
  ASSERT_EQ(mappings.size(), 1U);
  EXPECT_EQ(mappings[0].path, kVdsoPath);
}

TEST(MemoryMap, SenselessLinesAreLeftOut) {
  EXPECT_TRUE(parse_executable_mappings("\n\n-\nx-y r-xp 0 0:0 1 /a\n1000", 10).empty());
  EXPECT_TRUE(parse_executable_mappings("2000-1000 r-xp 00000000 00:01 7 /a\n", 10).empty());
  EXPECT_TRUE(parse_executable_mappings("1000-2000 r-x", 10).empty());
  EXPECT_TRUE(
      parse_executable_mappings("1000-2000 r-xp 0 0:1 99999999999999999999 /a", 10).empty());
}

TEST(MemoryMap, ManyMappingsStopAtTheLimit) {
  std::string text;
  for (int i = 1; i <= 100; ++i) {
    text += std::to_string(i) + "000-" + std::to_string(i) + "800 r-xp 00000000 00:01 7 /a\n";
  }
  EXPECT_EQ(parse_executable_mappings(text, 10).size(), 10U);
}

TEST(MemoryMap, OwnProcessHasItsProgram) {
  const auto mappings = read_executable_mappings(::getpid(), 4096);
  ASSERT_TRUE(mappings.ok()) << mappings.error().text;
  EXPECT_TRUE(std::ranges::any_of(*mappings, [](const ExecutableMapping& mapping) {
    return mapping.path.find("unit_tests") != std::string::npos;
  }));
}

TEST(MemoryMap, ProcessGoneIsNotFound) {
  const auto mappings = read_executable_mappings(0x7ffffff, 4096);
  ASSERT_FALSE(mappings.ok());
  EXPECT_EQ(mappings.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace mapscope::test
