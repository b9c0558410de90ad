// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/selection.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/discover/process.h"
#include "agent/model/target_table.h"
#include "agent/options.h"

namespace mapscope {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

TEST(Selection, AnyOfSeveralMatches) {
  Selection selection;
  selection.exe = {"*/store", "/opt/*"};
  selection.comm = {"web*"};
  EXPECT_TRUE(selection.matches("/usr/local/bin/store", "store"));
  EXPECT_TRUE(selection.matches("/opt/a/b/c", "c"));
  EXPECT_TRUE(selection.matches("/usr/bin/java", "web-1"));
  EXPECT_FALSE(selection.matches("/usr/bin/java", "java"));
  EXPECT_FALSE(selection.matches("/usr/local/bin/store2", "x"));
}

TEST(Selection, ExcludeWins) {
  Selection selection;
  selection.all = true;
  selection.exclude = {"/usr/bin/*", "secret"};
  EXPECT_TRUE(selection.matches("/srv/store", "store"));
  EXPECT_FALSE(selection.matches("/usr/bin/sh", "sh"));
  EXPECT_FALSE(selection.matches("/srv/store", "secret"));
}

TEST(Selection, NamesAreBytes) {
  Selection selection;
  selection.comm = {"a?c", "line\nfeed"};
  EXPECT_TRUE(selection.matches("/x", "a\"c"));
  EXPECT_TRUE(selection.matches("/x", "line\nfeed"));
  EXPECT_FALSE(selection.matches("/x", ""));
}

TEST(Selection, WithoutAnythingSelectsNothing) {
  EXPECT_FALSE(Selection().active());
  EXPECT_FALSE(Selection().matches("/x", "x"));
}

Result<Parsed> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "agent");
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& word : words) argv.push_back(word.data());
  return parse_options(static_cast<int>(argv.size()), argv.data());
}

TEST(SelectionOptions, MayBeRepeatedAndCombined) {
  const auto parsed = parse({"--exe", "/a", "--exe", "/b", "--comm", "c", "--exclude", "d", "--pid",
                             "7", "--exclude", "e"});
  ASSERT_TRUE(parsed) << parsed.error().text;
  const WatchOptions& watch = parsed->options.watch;
  EXPECT_EQ(watch.selection.exe, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(watch.selection.comm, std::vector<std::string>{"c"});
  EXPECT_EQ(watch.selection.exclude, (std::vector<std::string>{"d", "e"}));
  EXPECT_EQ(watch.pids, std::vector<int>{7});
}

TEST(SelectionOptions, ExcludeAloneIsAMistake) {
  const auto parsed = parse({"--exclude", "x", "--pid", "7"});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::kUsage);
}

TEST(SelectionOptions, GlobDoesNotSwallowWhatFollows) {
  EXPECT_FALSE(parse({"--exe", "/a", "/b"}));
}

TEST(ProcessGlimpse, OwnProcessIsListedAndLooksLikeItself) {
  const auto pids = list_processes();
  ASSERT_TRUE(pids);
  EXPECT_NE(std::ranges::find(*pids, ::getpid()), pids->end());
  const auto glimpse = glimpse_process(::getpid());
  const auto process = read_process(::getpid());
  ASSERT_TRUE(glimpse);
  ASSERT_TRUE(process);
  EXPECT_EQ(glimpse->start_ticks, process->start_ticks);
  EXPECT_EQ(glimpse->exe, process->exe);
  EXPECT_EQ(glimpse->comm, process->comm);
  EXPECT_EQ(glimpse_process(::getpid()), glimpse);
}

TEST(TargetTable, GoneTargetsAreForgottenAfterAWhile) {
  TargetTable targets;
  const uint32_t gone = targets.add({})->id;
  const uint32_t alive = targets.add({})->id;
  targets.mark_gone(gone);
  EXPECT_TRUE(targets.expire(kSecondNs).empty());
  EXPECT_TRUE(targets.expire(kSecondNs + TargetTable::kGoneNs - 1).empty());
  ASSERT_NE(targets.find(gone), nullptr);
  EXPECT_EQ(targets.expire(kSecondNs + TargetTable::kGoneNs), std::vector<uint32_t>{gone});
  EXPECT_EQ(targets.find(gone), nullptr);
  EXPECT_NE(targets.find(alive), nullptr);
  EXPECT_TRUE(targets.expire(UINT64_MAX).empty());
}

TEST(TargetTable, ThousandsOfGoneTargetsAreBounded) {
  TargetTable targets;
  std::vector<uint32_t> forgotten;
  for (int i = 0; i < 5000; ++i) targets.mark_gone(targets.add({})->id);
  EXPECT_EQ(targets.size(), TargetTable::kMaxGone);
  EXPECT_EQ(targets.expire(kSecondNs).size(), 5000 - TargetTable::kMaxGone);
}

}  // namespace
}  // namespace mapscope
