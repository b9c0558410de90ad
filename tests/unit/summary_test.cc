// SPDX-License-Identifier: Apache-2.0
#include "agent/export/summary.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/export/columns.h"
#include "agent/export/conclusion.h"
#include "agent/export/event_json.h"
#include "agent/export/text.h"
#include "tests/support/sample_resize.h"
#include "tests/support/screen.h"

namespace mapscope {
namespace {

using nlohmann::json;
using Lines = std::vector<std::string>;

constexpr uint64_t kSecondNs = 1'000'000'000;

Summary summary_of(const SiteTable& sites, uint64_t watched_ns) {
  return {sites.targets(), sites.sites(), {}, watched_ns};
}

// 20 resizes at this line, 1 ms each.
void add_line(SiteTable& sites, Sample& sample, uint32_t line, uint64_t stall_ns) {
  sample.stack.frames[1].line = line;
  sample.resize.stall_ns = sample.resize.wall_ns = stall_ns;
  sites.add(sample.resize);
}

std::string joined(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

TEST(Summary, NamesTheOwnLineAndCountsWhatWasNotTimed) {
  SiteTable sites;
  Sample sample;
  sample.lead_from_own_module();
  sites.add(sample.resize);
  sample.resize.stall_ns.reset();
  sample.resize.wall_ns = 40 * kSecondNs;
  sites.add(sample.resize);
  const Lines lines = summary_lines(summary_of(sites, 5 * kSecondNs), kUnlimited);
  ASSERT_GE(lines.size(), 4U);
  EXPECT_EQ(lines[1],
            "Inserts stalled for 38.3 µs in 5.00 s, <0.01 % of the time: 2 resizes in store/4242; "
            "1 resize not timed.");
  EXPECT_EQ(lines[3],
            " 38.3 µs  100 % main.(*Store).Put store.go:42 ← main.serve serve.go:7, "
            "map[string]*main.Session, in store");
}

TEST(Summary, LeadsWithTheConclusion) {
  SiteTable sites;
  Sample sample;
  sample.resize.blocked = Blocked{3, 120'000};
  sites.add(sample.resize);
  sample.resize.old_slots = 1024;
  sample.resize.new_slots = 2048;
  sample.resize.entries = 896;
  sample.resize.stall_ns = sample.resize.wall_ns = 2'000'000;
  sites.add(sample.resize);
  sites.add(sample.fatal);
  const Lines lines = summary_lines(summary_of(sites, 5 * kSecondNs), kUnlimited);
  ASSERT_GE(lines.size(), 5U);
  EXPECT_EQ(lines[0], "");
  EXPECT_EQ(lines[1],
            "Inserts stalled for 2.04 ms in 5.00 s, 0.04 % of the time: 2 resizes in store/4242; "
            "threads queued for 240 µs behind them; 1 fatal error.");
  EXPECT_EQ(lines[2], "One line causes 100 % of it:");
  EXPECT_EQ(lines[3],
            " 2.04 ms  100 % main.(*Store).Put store.go:42, map[string]*main.Session, in store");
  EXPECT_EQ(lines[4], std::string(16, ' ') + "→ " + advice(sites.sites().front()));
  EXPECT_EQ(lines[5], "");
  EXPECT_TRUE(lines[6].starts_with("  STALL  QUEUED    MOVE RESIZES")) << lines[6];
  EXPECT_EQ(count_lines(lines, "→"), 1U);
}

TEST(Summary, FewestLinesThatCauseMostOfItAreNamed) {
  SiteTable sites;
  Sample sample;
  for (uint32_t line = 1; line <= 10; ++line) add_line(sites, sample, line, 1'000'000);
  add_line(sites, sample, 50, 30'000'000);
  add_line(sites, sample, 51, 20'000'000);
  const Lines lines = conclusion_lines(summary_of(sites, kSecondNs), kUnlimited);
  EXPECT_EQ(main_sites(sites.sites()), 2U);
  EXPECT_EQ(count_lines(lines, "Two lines cause 83.3 % of it:"), 1U) << joined(lines);
  EXPECT_EQ(count_lines(lines, "30.0 ms   50 % main.(*Store).Put store.go:50"), 1U);
  EXPECT_EQ(count_lines(lines, "20.0 ms   33 % main.(*Store).Put store.go:51"), 1U);
  EXPECT_EQ(count_lines(lines, "store.go:1,"), 0U);
}

TEST(Summary, NothingSeenIsOneSentence) {
  EXPECT_EQ(summary_lines({}, 100), (Lines{"", "No map grew in 0 ns."}));
}

TEST(Summary, SaysWhatWasNotWatched) {
  SiteTable sites;
  Sample sample;
  sample.resize.stall_ns = sample.resize.wall_ns = 100'000'000;
  sites.add(sample.resize);
  Summary summary = summary_of(sites, 2'800'000'000);
  summary.paused = {{4242, "store", "/usr/bin/store", 2'800'000'000, kSecondNs, {}}};
  Lines lines = summary_lines(summary, kUnlimited);
  EXPECT_EQ(lines[1],
            "Inserts stalled for 100 ms in 1.00 s, 10.0 % of the time: 1 resize in store/4242.");
  EXPECT_EQ(lines[2], "Watched 1.0 of 2.8 s (overhead budget).");
  for (int pid = 5000; pid < 5004; ++pid)
    summary.paused.push_back(
        {pid, "store", "/usr/bin/store", 2 * kSecondNs, kSecondNs, PauseCause{4242, "store"}});
  lines = summary_lines(summary, kUnlimited);
  EXPECT_EQ(lines[2], "store/4242 was watched 1.0 of 2.8 s (overhead budget).");
  EXPECT_EQ(lines[3],
            "store/5000 was watched 1.0 of 2.0 s (overhead budget of store/4242, which runs the "
            "same file).");
  EXPECT_EQ(lines[5], "… and 2 more were not watched all the time.");
  std::string text;
  append_summary_json(text, summary, "t");
  const json event = json::parse(text);
  EXPECT_EQ(event.at("paused").at(0),
            json::parse(R"({"pid": 4242, "comm": "store", "exe": "/usr/bin/store",
              "present_ns": 2800000000, "watched_ns": 1000000000, "reason": "overhead_budget"})"));
  EXPECT_EQ(event.at("paused").at(1).at("cause"), json::parse(R"({"pid": 4242, "comm": "store"})"));
}

TEST(Summary, ShowsInserts) {
  Summary summary;
  summary.inserts = {{"store", "go_swiss", "map[string]int", 1'234'567, true, 1'234'000,
                      123'400'000, 567, 567'000}};
  const Lines lines = summary_lines(summary, 120);
  EXPECT_EQ(
      lines[2],
      "1,234,567 inserts, 100 ns each on average; 567 of them while their map was being resized, "
      "1.00 µs each.")
      << joined(lines);
  EXPECT_EQ(
      count_lines(lines, "    1,234,567  100 ns         567 1.00 µs store            map[str"), 1U)
      << joined(lines);
  std::string text;
  append_summary_json(text, summary, "t");
  EXPECT_EQ(json::parse(text).at("inserts").at(0),
            json::parse(R"({"process": "store", "runtime": "go_swiss", "map_type": "map[string]int",
              "inserts": 1234567, "steady": 1234000, "steady_ns": 123400000, "during_resize": 567,
              "during_resize_ns": 567000})"));
}

TEST(Summary, CountsWhatHadNoRow) {
  Summary summary;
  summary.hidden = 1234;
  EXPECT_EQ(count_lines(summary_lines(summary, 100),
                        "1,234 shorter resizes had no row of their own (--min-stall)"),
            1U);
  std::string text;
  append_summary_json(text, summary, "t");
  EXPECT_EQ(json::parse(text).at("hidden_resizes"), 1234);
}

TEST(Summary, ProgramsAreAddedUpAndTheMostExpensiveComesFirst) {
  SiteTable sites;
  Sample sample;
  for (uint32_t i = 0; i < 30; ++i) {
    sample.target.id = i;
    sample.target.pid = static_cast<int>(100 + i);
    sample.target.comm = i % 3 == 0 ? "cheap" : "dear";
    sample.target.exe = "/bin/" + sample.target.comm;
    sample.resize.stall_ns = sample.resize.wall_ns = i % 3 == 0 ? 1'000'000 : 2'000'000;
    sites.add(sample.resize);
  }
  Summary summary = summary_of(sites, kSecondNs);
  EXPECT_EQ(count_lines(summary_lines(summary, 100), "/bin/"), 20U);
  summary.by_program = true;
  const Lines lines = summary_lines(summary, 100);
  const auto programs = [&] {
    Lines found;
    for (const std::string& line : lines)
      if (line.find("/bin/") != std::string::npos) found.push_back(line);
    return found;
  }();
  ASSERT_EQ(programs.size(), 2U) << joined(lines);
  EXPECT_TRUE(programs[0].starts_with(" 40.0 ms     0 ns                 20       0 dear ×20"))
      << programs[0];
  EXPECT_NE(programs[1].find("cheap ×10"), std::string::npos) << programs[1];
}

TEST(Summary, ShowsAdviceLossesAndFitsEveryTerminal) {
  SiteTable sites;
  Sample sample;
  for (uint32_t line = 1; line <= 100; ++line) {
    sample.stack.frames[1].line = line;
    sample.resize.old_slots = 512;
    sample.resize.new_slots = 1024;
    sites.add(sample.resize);
    sample.resize.old_slots = 1024;
    sample.resize.new_slots = 2048;
    sites.add(sample.resize);
  }
  Summary summary = summary_of(sites, kSecondNs);
  summary.lost = {{"ring_resize", 1234}, {"superseded", 0}};
  for (size_t width = 80; width <= 240; width += 20) {
    const Lines lines = summary_lines(summary, width);
    // Three in the conclusion, and those again with seventeen others in the table.
    EXPECT_EQ(count_lines(lines, "store.go:"), 23U) << joined(lines);
    EXPECT_EQ(count_lines(lines, "… and 80 call sites"), 1U);
    EXPECT_EQ(count_lines(lines, "lost or incomplete: ring_resize 1,234"), 1U);
    EXPECT_EQ(count_lines(lines, "→ make(map[string]*main.Session, 449)"), 20U) << joined(lines);
    for (const std::string& line : lines) EXPECT_LE(character_count(line), width) << line;
  }
}

TEST(Wrap, BreaksAtBlanksAndIndents) {
  EXPECT_EQ(wrap("one two three", 8, 2), (Lines{"one two", "  three"}));
  EXPECT_EQ(wrap("    → one two", 9, 6), (Lines{"    → one", "      two"}));
  EXPECT_EQ(wrap("one two", kUnlimited), (Lines{"one two"}));
  EXPECT_EQ(wrap("incomprehensible as it is", 5), (Lines{"incomprehensible", "as it", "is"}));
  EXPECT_EQ(wrap("", 5), (Lines{""}));
  EXPECT_EQ(wrap("a ", 5), (Lines{"a "}));
}

}  // namespace
}  // namespace mapscope
