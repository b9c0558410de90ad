// SPDX-License-Identifier: Apache-2.0
#include "agent/export/terminal_view.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sstream>
#include <utility>
#include <vector>

#include "agent/base/unique_fd.h"
#include "agent/export/text.h"
#include "tests/support/sample_resize.h"
#include "tests/support/screen.h"

namespace mapscope {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
// U+202E, in two pieces so that no tool takes this source for a deceptive one.
const std::string kRightToLeft = std::string("\xe2\x80") + "\xae";

TEST(TerminalView, RowSaysWhatHappened) {
  Screen screen({kUnlimited});
  Sample sample;
  sample.resize.blocked = Blocked{7, 642'000'000};
  screen.view().row(sample.resize);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[1].starts_with("38.3 µs 7×91.7ms         ")) << lines[1];
  for (const char* part : {"store/4242", "4245", "0xc000123000", "grow", "512→1Ki", "448",
                           "57/43/0", "map[string]*main.Session", "main.(*Store).Put store.go:42"})
    EXPECT_NE(lines[1].find(part), std::string::npos) << part << "\n" << lines[1];
}

TEST(TerminalView, StallComesFirstQueuedAndMoveBesideIt) {
  Screen screen({100});
  Sample sample;
  sample.resize.stall_ns = 3'100'000;
  sample.resize.wall_ns = 74'000'000;
  sample.resize.blocked = Blocked{3, 8'700'000};
  screen.view().row(sample.resize);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].starts_with("  STALL   QUEUED    MOVE TIME ")) << lines[0];
  EXPECT_TRUE(lines[1].starts_with("3.10 ms 3×2.90ms 74.0 ms ")) << lines[1];
}

TEST(TerminalView, MoveIsEmptyWhereTheInsertPaidForAllOfIt) {
  Screen screen({80});
  Sample sample;
  screen.view().row(sample.resize);
  EXPECT_TRUE(screen.lines()[1].starts_with("38.3 µs        0         00:01:21 store/4242"))
      << screen.lines()[1];
}

TEST(TerminalView, LegendIsFirstAndOnlyOnce) {
  Screen screen({100});
  Sample sample;
  for (uint64_t i = 0; i < 81; ++i) {
    sample.resize.begin_ns = i * kSecondNs;
    screen.view().row(sample.resize);
  }
  const std::string text = screen.text();
  EXPECT_TRUE(text.starts_with("STALL: what one insert paid; QUEUED: threads×time")) << text;
  EXPECT_EQ(text.find("what one insert paid", 10), std::string::npos);
}

TEST(TerminalView, ColumnsStandBelowTheirHeads) {
  for (const size_t width : {size_t{80}, size_t{100}, size_t{140}, size_t{200}, kUnlimited}) {
    Screen screen({width});
    Sample sample;
    screen.view().row(sample.resize);
    const auto lines = screen.lines();
    ASSERT_EQ(lines.size(), 2U);
    const auto column = [](const std::string& line, std::string_view part) {
      return character_count(line.substr(0, line.find(part)));
    };
    EXPECT_EQ(column(lines[0], "PROCESS"), column(lines[1], "store/")) << width;
    EXPECT_EQ(column(lines[0], "SLOTS") + 5, column(lines[1], "512→1Ki") + 7) << width;
    const char* const place = width == 80 ? "…re).Put" : "main.(*Store)";
    EXPECT_EQ(column(lines[0], "CALL SITE"), column(lines[1], place)) << width << "\n" << lines[1];
    if (width >= 160) {
      EXPECT_EQ(column(lines[0], "MAP"), column(lines[1], "0xc0"));
    }
  }
}

// Every value as large as it can be.
void make_widest(Sample& sample) {
  sample.target.comm = "fifteen-letters";
  sample.target.pid = 4194304;
  sample.resize.tid = 4194304;
  sample.resize.map_addr = 0x7fffffffffff;
  sample.resize.kind = "small_to_table";
  sample.resize.old_slots = 939'524'096;
  sample.resize.new_slots = 1'879'048'192;
  sample.resize.entries = 939'524'095;
  sample.resize.wall_ns = 123'456'789'012;
  sample.resize.thread->minor_faults = 4'000'000'000;
  sample.resize.blocked = Blocked{128, 128 * 99'900'000ULL};
  sample.stack.frames[1].function = std::string(300, 'f');
}

TEST(TerminalView, WidestRowFitsEveryTerminal) {
  for (size_t width = 80; width <= 240; ++width) {
    Screen screen({width});
    Sample sample;
    make_widest(sample);
    screen.view().row(sample.resize);
    auto newer = std::make_shared<ProgramInfo>(*sample.resize.program);
    newer->unverified = true;
    sample.resize.program = newer;
    screen.view().row(sample.resize);
    EXPECT_EQ(count_lines(screen.lines(), "  unverified"), width < 100 ? 0U : 1U) << width;
    screen.view().row(sample.fatal);
    screen.view().row(sample.race);
    screen.view().row(sample.doubling);
    screen.view().row(sample.target);
    std::istringstream text(screen.text());
    for (std::string line; std::getline(text, line);) {
      // A word is not broken.
      if (line.find(std::string(100, 'f')) != std::string::npos) continue;
      ASSERT_LE(character_count(line), width) << line;
    }
  }
}

TEST(TerminalView, NothingIsCutWhereThereIsNoTerminal) {
  Screen screen({kUnlimited});
  Sample sample;
  make_widest(sample);
  const std::string type(300, 't');
  sample.resize.map_type = type;
  sample.race.map_type = std::string(300, 'r');
  screen.view().row(sample.resize);
  screen.view().row(sample.race);
  const std::string text = screen.text();
  EXPECT_EQ(text.find("…"), std::string::npos) << text;
  for (const std::string& part :
       {std::string("fifteen-letters/4194304"), std::string("small_to_table"),
        std::string(300, 'f') + " store.go:42", std::string(300, 't'), std::string(300, 'r')})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(TerminalView, ShorterStallsAreCountedAndDoNotBreakUpTheRows) {
  Screen screen({.width = 100, .min_stall_ns = 1'000'000});
  Sample sample;
  sample.resize.stall_ns = 999'999;
  sample.resize.wall_ns = 5'000'000;
  for (int i = 0; i < 1234; ++i) screen.view().row(sample.resize);
  EXPECT_EQ(count_lines(screen.lines(), "store.go:42"), 0U);
  EXPECT_EQ(count_lines(screen.lines(), "--min-stall 0 shows all"), 1U);
  sample.resize.stall_ns = 1'000'000;
  screen.view().row(sample.resize);
  EXPECT_EQ(count_lines(screen.lines(), "store.go:42"), 1U);
  EXPECT_EQ(count_lines(screen.lines(), "shorter than 1.00 ms"), 1U);
  ASSERT_TRUE(screen.view().tick(100 * kSecondNs));
  EXPECT_EQ(count_lines(screen.lines(), "… 1,234 shorter than 1.00 ms"), 1U);
  EXPECT_EQ(screen.view().hidden(), 1234U);
}

TEST(TerminalView, WithoutAStallTheWholeTimeDecides) {
  Screen screen({.width = 100, .min_stall_ns = 1'000'000});
  Sample sample;
  sample.resize.stall_ns.reset();
  sample.resize.wall_ns = 1'000'000;
  screen.view().row(sample.resize);
  sample.resize.wall_ns.reset();
  screen.view().row(sample.resize);
  EXPECT_EQ(count_lines(screen.lines(), "store.go:42"), 1U);
  EXPECT_EQ(screen.view().hidden(), 1U);
}

TEST(TerminalView, HowManyAreHiddenIsSaidWhileNothingElseIs) {
  Screen screen({.width = 100, .min_stall_ns = 1'000'000});
  Sample sample;
  const auto said = [&] { return count_lines(screen.lines(), "shorter than"); };
  screen.view().row(sample.resize);
  ASSERT_TRUE(screen.view().tick(100 * kSecondNs));
  const size_t before = said();
  screen.view().row(sample.resize);
  ASSERT_TRUE(screen.view().tick(101 * kSecondNs));
  EXPECT_EQ(said(), before);
  ASSERT_TRUE(screen.view().tick(110 * kSecondNs));
  EXPECT_EQ(said(), before + 1);
}

TEST(TerminalView, SummaryAloneHasNoRows) {
  Screen screen({.width = 100, .rows = false});
  Sample sample;
  screen.view().row(sample.target);
  screen.view().row(sample.resize);
  screen.view().row(sample.fatal);
  screen.view().row(sample.race);
  screen.view().row(sample.doubling);
  EXPECT_EQ(screen.text(), "");
  SiteTable sites;
  sites.add(sample.resize);
  screen.view().summary({sites.targets(), sites.sites(), {}, kSecondNs});
  EXPECT_NE(screen.text().find("store.go:42"), std::string::npos);
}

Pause pause_of(const Target& target, bool begins) {
  return {&target, begins, 81 * kSecondNs, {}, 0, {}};
}

TEST(TerminalView, PauseNamesWhoIsMuteBecauseOfWhom) {
  Screen screen({kUnlimited});
  Sample sample;
  Pause own = pause_of(sample.target, true);
  own.share = 0.031;
  own.until_ns = own.time_ns + 60 * kSecondNs;
  std::vector<Pause> pauses = {own};
  std::vector<Target> others(7);
  for (int i = 0; i < 7; ++i) {
    others[static_cast<size_t>(i)].comm = "store";
    others[static_cast<size_t>(i)].pid = 5000 + i;
    Pause& pause = pauses.emplace_back(pause_of(others[static_cast<size_t>(i)], true));
    pause.cause = PauseCause{4242, "store"};
  }
  screen.view().row(pauses);
  const auto lines = screen.lines();
  EXPECT_EQ(count_lines(lines,
                        "00:01:21.000 store/4242: probes take 3 % of its CPU time, more than "
                        "--overhead-budget: not watched for a while (60.0 s)"),
            1U)
      << screen.text();
  EXPECT_EQ(count_lines(lines,
                        "store/5004 and 2 more are not watched either: the same file as "
                        "store/4242, the same probes"),
            1U)
      << screen.text();
  screen.view().row(std::vector<Pause>{pause_of(sample.target, false)});
  EXPECT_EQ(count_lines(screen.lines(), "store/4242 is watched again"), 1U);
}

TEST(TerminalView, InsertsHaveARowForTheTypesOfTheMost) {
  Screen screen({kUnlimited});
  InsertReport report{10 * kSecondNs, {}, 8 * kSecondNs};
  for (int i = 0; i < 5; ++i)
    report.counts.push_back({"store", "go_swiss", "map[int]T" + std::to_string(i), 1000, true, 990,
                             99'000, 10, 12'000});
  screen.view().row(report);
  report.time_ns += kSecondNs;
  report.counts[4].count += 1'234'567;
  screen.view().row(report);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 4U) << screen.text();
  EXPECT_NE(lines[0].find(" in 2.00 s"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[3],
            "00:00:11.000 store: 1,234,567 inserts into map[int]T4 in 1.00 s, mean 100 ns, 1.20 µs "
            "during a resize");
}

TEST(TerminalView, UnknownValuesAreDashes) {
  Screen screen;
  Target target;
  Resize resize;
  resize.target = &target;
  resize.kind = "grow";
  screen.view().row(resize);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[1].find("–→–"), std::string::npos);
  EXPECT_TRUE(lines[1].ends_with("line not sampled"));
}

TEST(TerminalView, HostileStringsAreEscaped) {
  Screen screen;
  Sample sample;
  const std::string evil = "\x1b[2J\n\r\xff" + kRightToLeft;
  sample.target.comm = evil;
  sample.target.exe = evil;
  sample.target.reason = evil;
  sample.target.state = TargetState::kUnsupported;
  sample.resize.map_type = evil;
  sample.fatal.message = evil;
  sample.stack.frames[1].function = evil;
  sample.stack.frames[1].file = evil;
  SiteTable sites;
  sites.add(sample.resize);
  screen.view().row(sample.resize);
  screen.view().row(sample.fatal);
  screen.view().row(sample.target);
  screen.view().summary({sites.targets(), sites.sites(), {}, 1});
  const std::string text = screen.text();
  for (const std::string& part : {std::string("\x1b"), std::string("\r"), std::string("\xff"),
                                  kRightToLeft, std::string("[2J\n")}) {
    EXPECT_EQ(text.find(part), std::string::npos) << part;
  }
  EXPECT_NE(text.find(R"(\x1b[2J\x0a\x0d\xff\u202e)"), std::string::npos) << text;
}

TEST(TerminalView, HeaderIsRepeated) {
  Screen screen;
  Sample sample;
  for (uint64_t i = 0; i < 81; ++i) {
    sample.resize.begin_ns = i * kSecondNs;
    screen.view().row(sample.resize);
  }
  EXPECT_EQ(count_lines(screen.lines(), "CALL SITE"), 3U);
}

TEST(TerminalView, FloodShowsTheFirstOfEachSecondAndCountsTheRest) {
  Screen screen;
  Sample sample;
  sample.resize.wall_ns = 0;
  for (uint64_t second = 1; second <= 2; ++second) {
    for (uint64_t i = 0; i < 1200; ++i) {
      sample.resize.begin_ns = second * kSecondNs + i;
      screen.view().row(sample.resize);
    }
  }
  EXPECT_EQ(count_lines(screen.lines(), "store/4242"), 100U);
  EXPECT_EQ(count_lines(screen.lines(), "… and 1,150 more"), 1U);
  ASSERT_TRUE(screen.view().tick(3 * kSecondNs));
  EXPECT_EQ(count_lines(screen.lines(), "… and 1,150 more"), 2U);
}

TEST(TerminalView, TickWithinTheSecondIsSilent) {
  Screen screen;
  Sample sample;
  sample.resize.begin_ns = kSecondNs;
  sample.resize.wall_ns = 0;
  for (int i = 0; i < 60; ++i) screen.view().row(sample.resize);
  ASSERT_TRUE(screen.view().tick(2 * kSecondNs - 1));
  EXPECT_EQ(count_lines(screen.lines(), "more"), 0U);
}

TEST(TerminalView, ResizeThatEndsLateDoesNotReopenItsSecond) {
  Screen screen;
  Sample sample;
  sample.resize.wall_ns = 0;
  for (int i = 0; i < 120; ++i) {
    sample.resize.begin_ns = (i % 2 == 0 ? 5 : 4) * kSecondNs;
    screen.view().row(sample.resize);
  }
  EXPECT_EQ(count_lines(screen.lines(), "store/4242"), 50U);
}

TEST(TerminalView, FatalIsShownInAFlood) {
  Screen screen;
  Sample sample;
  for (int i = 0; i < 100; ++i) screen.view().row(sample.resize);
  screen.view().row(sample.fatal);
  EXPECT_EQ(count_lines(screen.lines(),
                        "thread 4246: fatal error: concurrent map writes of map 0xc000123000 at "
                        "main.(*Store).Put"),
            1U);
}

TEST(TerminalView, ColoursOnlyWhenAsked) {
  Sample sample;
  Screen plain;
  plain.view().row(sample.fatal);
  EXPECT_EQ(plain.text().find('\x1b'), std::string::npos);
  Screen coloured({140, true});
  coloured.view().row(sample.fatal);
  EXPECT_NE(coloured.text().find("\x1b[1;31m"), std::string::npos);
}

TEST(TerminalOptions, FileIsPlainAndTerminalIsNot) {
  const UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(master.valid());
  ASSERT_EQ(grantpt(master.get()), 0);
  ASSERT_EQ(unlockpt(master.get()), 0);
  const winsize wide{50, 180, 0, 0};
  ASSERT_EQ(ioctl(master.get(), TIOCSWINSZ, &wide), 0);
  const UniqueFd terminal(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal.valid());
  unsetenv("NO_COLOR");
  EXPECT_TRUE(terminal_options(terminal.get()).colour);
  EXPECT_EQ(terminal_options(terminal.get()).width, 180U);
  EXPECT_EQ(terminal_options(terminal.get()).min_stall_ns, 1'000'000U);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(terminal_options(terminal.get()).colour);
  unsetenv("NO_COLOR");
  for (const auto& [columns, width] : {std::pair{0, 100U}, {40, 80U}, {80, 80U}, {999, 240U}}) {
    const winsize size{50, static_cast<unsigned short>(columns), 0, 0};
    ASSERT_EQ(ioctl(master.get(), TIOCSWINSZ, &size), 0);
    EXPECT_EQ(terminal_options(terminal.get()).width, width);
  }
  const UniqueFd file(memfd_create("file", MFD_CLOEXEC));
  EXPECT_FALSE(terminal_options(file.get()).colour);
  EXPECT_EQ(terminal_options(file.get()).width, kUnlimited);
  EXPECT_EQ(terminal_options(file.get()).min_stall_ns, 0U);
}

}  // namespace
}  // namespace mapscope
