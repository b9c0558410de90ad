// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/proc_text.h"

#include <gtest/gtest.h>

#include <string>

namespace mapscope {
namespace {

// As a kernel 6.1 prints it, up to the field after the start time.
std::string stat_of(const std::string& comm, const std::string& state, const std::string& threads) {
  return "4242 (" + comm + ") " + state + " 1 4242 4242 0 -1 4194560 95 0 0 0 0 0 0 0 20 0 " +
         threads + " 0 7512 2621440\n";
}

TEST(ProcText, StatIsReadBehindTheLastParenthesis) {
  const auto stat = parse_stat(stat_of(") Z 1 (2 3", "S", "4"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, ") Z 1 (2 3");
  EXPECT_EQ(stat->start_ticks, 7512U);
  EXPECT_EQ(stat->parent, 1);
  EXPECT_FALSE(stat->has_ended);
}

TEST(ProcText, ZombieHasEndedUnlessOtherThreadsLive) {
  EXPECT_TRUE(parse_stat(stat_of("sh", "Z", "1"))->has_ended);
  EXPECT_FALSE(parse_stat(stat_of("sh", "Z", "2"))->has_ended);
}

TEST(ProcText, EveryCutOfStatBeforeTheStartTimeIsRefused) {
  const std::string whole = stat_of("sh", "S", "1");
  for (size_t bytes = 0; bytes < whole.find("7512"); ++bytes)
    EXPECT_FALSE(parse_stat(whole.substr(0, bytes))) << bytes;
  EXPECT_FALSE(parse_stat(")("));
}

TEST(ProcText, ThreadBelongsToTheProcessThatStatusNames) {
  EXPECT_EQ(process_of_status("Name:\tsh\nUmask:\t0022\nTgid:\t4242\nNgid:\t0\n"), "4242");
  EXPECT_EQ(process_of_status("Name:\tsh\nTgid:\t4242"), "4242");
  EXPECT_EQ(process_of_status("Name:\tTgid:\t1\n"), "");
  EXPECT_EQ(process_of_status(""), "");
}

TEST(ProcText, ExecutableFilesAreListedOnceAndTheProgramFirst) {
  const auto files = parse_mapped_files(
      "00401000-00402000 r-xp 00001000 fe:00 12   /usr/lib/a b.so (deleted)\n"
      "7f0000000000-7f0000001000 rw-p 00000000 fe:00 13   /data\n"
      "7f0000002000-7f0000003000 r-xp 00000000 fe:00 14   /usr/bin/store\n"
      "7f0000004000-7f0000005000 r-xp 00000000 fe:00 12   /usr/lib/a b.so (deleted)\n"
      "7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0   [vdso]\n",
      "/usr/bin/store");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].path, "/usr/bin/store");
  EXPECT_EQ(files[1].path, "/usr/lib/a b.so");
  EXPECT_TRUE(files[1].deleted);
  EXPECT_EQ(files[1].range, "401000-402000");
}

TEST(ProcText, SenselessMapsGiveNoFiles) {
  for (const char* text : {"", "\n\n", "-", "- r-xp", "1-2 r-xp 0 0:0 0 /a", "1-2 r-xp 0 0 1 /a",
                           "1-2 r-xp 0 x:y 1 /a", "1-2 r-xp 0 0:0 99999999999999999999 /a"})
    EXPECT_TRUE(parse_mapped_files(text, "/a").empty()) << text;
}

TEST(ProcText, MappedFilesStopAtTheLimit) {
  std::string text;
  for (size_t i = 1; i <= kMaxMappedFiles + 10; ++i)
    text += "1000-2000 r-xp 00000000 00:01 " + std::to_string(i) + " /a\n";
  EXPECT_EQ(parse_mapped_files(text, "/a").size(), kMaxMappedFiles);
}

TEST(ProcText, PidsAreNumbersAndNothingElse) {
  EXPECT_EQ(parse_pids(" 12  x 7y 13 "), (std::vector<pid_t>{12, 13}));
  EXPECT_TRUE(parse_pids("").empty());
  EXPECT_FALSE(parse_pid("12 "));
}

}  // namespace
}  // namespace mapscope
