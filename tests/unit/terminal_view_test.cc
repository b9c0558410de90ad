// SPDX-License-Identifier: Apache-2.0
#include "agent/export/terminal_view.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"
#include "agent/export/place.h"
#include "agent/export/text.h"
#include "agent/export/units.h"
#include "tests/support/sample_resize.h"
#include "tests/support/screen.h"

namespace mapscope {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
// U+202E, in two pieces so that no tool takes this source for a deceptive one.
const std::string kRightToLeft = std::string("\xe2\x80") + "\xae";

TEST(TerminalView, RowSaysWhatHappened) {
  Screen screen;
  Sample sample;
  sample.resize.blocked = Blocked{7, 642'000'000};
  screen.view().row(sample.resize);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  for (const char* part : {"store/4242", "4245", "0xc000123000", "grow", "512→1Ki", "448",
                           "38.3 µs", "57/43/0", "7×91.7ms", "…(*Store).Put", "store.go:42"}) {
    EXPECT_NE(lines[1].find(part), std::string::npos) << part << "\n" << lines[1];
  }
}

TEST(TerminalView, ColumnsStandBelowTheirHeads) {
  Screen screen;
  Sample sample;
  screen.view().row(sample.resize);
  const auto lines = screen.lines();
  ASSERT_EQ(lines.size(), 2U);
  const auto column = [](const std::string& line, std::string_view part) {
    return character_count(line.substr(0, line.find(part)));
  };
  EXPECT_EQ(column(lines[0], "PROCESS"), column(lines[1], "store/"));
  EXPECT_EQ(column(lines[0], "MAP"), column(lines[1], "0xc0"));
  EXPECT_EQ(column(lines[0], "CALL SITE"), column(lines[1], "…(*Store)"));
}

TEST(TerminalView, WidestRowFits) {
  Screen screen;
  Sample sample;
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
  screen.view().row(sample.resize);
  for (const std::string& line : screen.lines()) EXPECT_LE(character_count(line), 140U) << line;
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
  EXPECT_LE(character_count(lines[1]), 140U);
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
  screen.view().tick(3 * kSecondNs);
  EXPECT_EQ(count_lines(screen.lines(), "… and 1,150 more"), 2U);
}

TEST(TerminalView, TickWithinTheSecondIsSilent) {
  Screen screen;
  Sample sample;
  sample.resize.begin_ns = kSecondNs;
  sample.resize.wall_ns = 0;
  for (int i = 0; i < 60; ++i) screen.view().row(sample.resize);
  screen.view().tick(2 * kSecondNs - 1);
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
  std::FILE* terminal = std::fopen(ptsname(master.get()), "re+");
  ASSERT_NE(terminal, nullptr);
  unsetenv("NO_COLOR");
  EXPECT_TRUE(terminal_options(terminal).colour);
  EXPECT_EQ(terminal_options(terminal).width, 180U);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(terminal_options(terminal).colour);
  unsetenv("NO_COLOR");
  std::fclose(terminal);
  std::FILE* file = std::tmpfile();
  EXPECT_FALSE(terminal_options(file).colour);
  EXPECT_EQ(terminal_options(file).width, 140U);
  std::fclose(file);
}

TEST(Summary, ShowsTargetsSitesAdviceAndLosses) {
  SiteTable sites;
  Sample sample;
  sites.add(sample.resize);
  sample.resize.old_slots = 1024;
  sample.resize.new_slots = 2048;
  sample.resize.entries = 896;
  sample.resize.reserve = Reserve{898, 2048, 1643, 53264};
  sample.resize.stall_ns = 2'000'000;
  sites.add(sample.resize);
  sites.add(sample.fatal);
  Screen screen;
  screen.view().summary(
      {sites.targets(), sites.sites(), {{"ring_resize", 1234}, {"superseded", 0}}, 5 * kSecondNs});
  const auto lines = screen.lines();
  EXPECT_EQ(count_lines(lines, "store/4242"), 1U);
  EXPECT_EQ(count_lines(lines, "main.(*Store).Put store.go:42"), 1U);
  EXPECT_EQ(count_lines(lines,
                        "→ make(map[string]*main.Session, 898) where it is made, at least 898 "
                        "(the table then holds 1,643): saves 2 growths, up to 2.04 ms, "),
            1U)
      << screen.text();
  EXPECT_EQ(count_lines(lines, "lost or incomplete: ring_resize 1,234"), 1U);
  EXPECT_EQ(lines.back(),
            "2 resizes of 1 target in 5.00 s cost 2.04 ms; 1 fatal error; pre-sizing would have "
            "saved 2 of them and up to 2.04 ms.");
  for (const std::string& line : lines) {
    if (line.find("→") == std::string::npos) {
      EXPECT_LE(character_count(line), 140U) << line;
    }
  }
}

TEST(Summary, NothingSeenIsOneSentence) {
  EXPECT_EQ(summary_lines({}, 140),
            (std::vector<std::string>{"", "0 resizes of 0 targets in 0 ns."}));
}

TEST(Summary, LongTablesAreCut) {
  SiteTable sites;
  Sample sample;
  for (uint32_t line = 1; line <= 100; ++line) {
    sample.stack.frames[1].line = line;
    sites.add(sample.resize);
  }
  const auto lines = summary_lines({sites.targets(), sites.sites(), {}, kSecondNs}, 140);
  EXPECT_EQ(count_lines(lines, "store.go:"), 20U);
  EXPECT_EQ(count_lines(lines, "… and 80 call sites"), 1U);
}

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
