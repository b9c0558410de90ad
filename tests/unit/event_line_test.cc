// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "agent/base/unique_fd.h"
#include "agent/export/event_json.h"
#include "agent/export/event_writer.h"
#include "agent/export/recent_resizes.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

using nlohmann::json;

constexpr std::string_view kTime = "2026-11-23T16:00:00.123456789Z";

json resize_json(const Resize& resize) {
  std::string line;
  append_resize_json(line, resize, kTime);
  return json::parse(line);
}

std::string read_all(int fd) {
  std::string text(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

TEST(EventLine, ResizeHasEveryKnownField) {
  Sample sample;
  EXPECT_EQ(resize_json(sample.resize), json::parse(R"({
    "event": "resize", "time": "2026-11-23T16:00:00.123456789Z", "pid": 4242, "tid": 4245,
    "comm": "store", "exe": "/usr/bin/store", "runtime": "go_swiss", "version": "go1.27.4",
    "map": {"addr": "0xc000123000", "type": "map[string]*main.Session"}, "kind": "grow",
    "trigger": "load", "old_slots": 512, "new_slots": 1024, "entries": 448, "new_bytes": 26632,
    "begin_ns": 81234567890, "wall_ns": 38300, "stall_ns": 38300, "running_ns": 21714,
    "runnable_ns": 16586, "sleeping_ns": 0, "uninterruptible_ns": 0, "minor_faults": 7,
    "major_faults": 0, "switches": 1, "blocked_threads": 0, "blocked_ns": 0,
    "site": {"function": "main.(*Store).Put", "file": "store.go", "line": 42},
    "stack": [{"function": "runtime.mapassign", "file": "map.go", "line": 600},
              {"function": "main.(*Store).Put", "file": "store.go", "line": 42}]})"));
}

TEST(EventLine, UnknownValuesAreAbsent) {
  Target target;
  target.pid = 7;
  Resize resize;
  resize.target = &target;
  resize.tid = 8;
  resize.kind = "grow";
  resize.begin_ns = 5;
  EXPECT_EQ(resize_json(resize), json::parse(R"({"event": "resize", "pid": 7, "tid": 8,
    "time": "2026-11-23T16:00:00.123456789Z", "kind": "grow", "begin_ns": 5})"));
}

TEST(EventLine, KnownZerosArePresent) {
  Sample sample;
  sample.resize.entries = 0;
  sample.resize.wall_ns = 0;
  const json event = resize_json(sample.resize);
  EXPECT_EQ(event.at("entries"), 0);
  EXPECT_EQ(event.at("wall_ns"), 0);
}

TEST(EventLine, LargestIntegersAreExact) {
  Sample sample;
  sample.resize.new_slots = UINT64_MAX;
  sample.resize.map_addr = UINT64_MAX;
  const json event = resize_json(sample.resize);
  EXPECT_EQ(event.at("new_slots").get<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(event.at("map").at("addr"), "0xffffffffffffffff");
}

TEST(EventLine, ResizeWithoutStackNamesItsCaller) {
  Sample sample;
  sample.resize.stack = nullptr;
  const json event = resize_json(sample.resize);
  EXPECT_EQ(event.at("site"), json::parse(R"({"addr": "0x4011c0"})"));
  EXPECT_FALSE(event.contains("stack"));
}

TEST(EventLine, UnnamedFrameShowsAddressAndModule) {
  Sample sample;
  sample.stack.frames[1] = Frame{};
  sample.stack.frames[1].address = 0x7f00;
  sample.stack.frames[1].module = "/lib/libx.so";
  EXPECT_EQ(resize_json(sample.resize).at("site"),
            json::parse(R"({"addr": "0x7f00", "module": "/lib/libx.so"})"));
}

TEST(EventLine, HostileStringsSurviveOrAreReplaced) {
  struct Case {
    std::string_view raw, shown;
  };
  using namespace std::string_view_literals;
  constexpr std::string_view kBad = "\xef\xbf\xbd";
  const std::string bad(kBad);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"quote\" back\\slash", "quote\" back\\slash"},
      {"line\nfeed\r\ttab", "line\nfeed\r\ttab"},
      {std::string("nul\0bell\a\x1b[31m\x7f"sv), std::string("nul\0bell\a\x1b[31m\x7f"sv)},
      {"größe→😀", "größe→😀"},
      {"\xff\xfe", bad + bad},
      {"cut \xe2\x82", "cut " + bad + bad},
      {"overlong \xc0\xaf", "overlong " + bad + bad},
      {"surrogate \xed\xa0\x80", "surrogate " + bad + bad + bad},
      {"beyond \xf4\x90\x80\x80", "beyond " + bad + bad + bad + bad},
  };
  for (const auto& [raw, shown] : cases) {
    Sample sample;
    sample.resize.map_type = raw;
    sample.target.exe = raw;
    sample.stack.frames[1].function = raw;
    const json event = resize_json(sample.resize);
    EXPECT_EQ(event.at("map").at("type"), shown);
    EXPECT_EQ(event.at("exe"), shown);
    EXPECT_EQ(event.at("site").at("function"), shown);
  }
}

TEST(EventLine, EveryByteValueParses) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  Sample sample;
  for (size_t length = 0; length <= all.size(); ++length) {
    sample.resize.comm = std::string_view(all).substr(all.size() - length);
    std::string line;
    append_resize_json(line, sample.resize, kTime);
    EXPECT_TRUE(json::accept(line)) << length;
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
}

TEST(EventLine, FatalHasMessageAndStack) {
  Sample sample;
  std::string line;
  append_fatal_json(line, sample.fatal, kTime);
  const json event = json::parse(line);
  EXPECT_EQ(event.at("event"), "fatal");
  EXPECT_EQ(event.at("message"), "concurrent map writes");
  EXPECT_EQ(event.at("tid"), 4246);
  EXPECT_EQ(event.at("time_ns"), 81234600000);
  EXPECT_EQ(event.at("map"), json::parse(R"({"addr": "0xc000123000"})"));
  EXPECT_EQ(event.at("stack").size(), 2U);
}

TEST(EventLine, TargetSaysWhyItIsUnsupported) {
  Target target;
  target.pid = 9;
  target.comm = "sh";
  target.state = TargetState::kUnsupported;
  target.reason = "no map that is known";
  std::string line;
  append_target_json(line, target, kTime);
  EXPECT_EQ(json::parse(line), json::parse(R"({"event": "target", "pid": 9, "comm": "sh",
    "time": "2026-11-23T16:00:00.123456789Z", "state": "unsupported",
    "reason": "no map that is known"})"));
}

TEST(EventLine, SummaryHasTargetsSitesAdviceAndLosses) {
  SiteTable sites;
  Sample sample;
  sites.add(sample.resize);
  sample.resize.old_slots = 1024;
  sample.resize.new_slots = 2048;
  sample.resize.entries = 896;
  sample.resize.reserve = Reserve{898, 2048, 1643, 53264};
  sites.add(sample.resize);
  std::string line;
  append_summary_json(
      line, {sites.targets(), sites.sites(), {{"ring_resize", 3}, {"ring_stack", 0}}, 5000}, kTime);
  const json event = json::parse(line);
  EXPECT_EQ(event.at("event"), "summary");
  EXPECT_EQ(event.at("watched_ns"), 5000);
  EXPECT_EQ(event.at("lost"), json::parse(R"({"ring_resize": 3})"));
  EXPECT_EQ(event.at("targets").at(0).at("resizes"), 2);
  EXPECT_EQ(event.at("sites").at(0).at("advice"),
            json::parse(R"({"reserve": 898, "holds": 1643, "slots": 2048, "growths": 2,
              "time_ns": 76600, "bytes": 26632, "maps": 1, "maps_beyond": 0, "maps_smaller": 0,
              "text": "make(map[string]*main.Session, 898) where it is made, at least 898 (the )"
                        R"(table then holds 1,643): saves 2 growths, up to 76.6 µs, 26.0 KiB of )"
                        R"(garbage"})"));
}

TEST(EventWriter, WritesOneLinePerEvent) {
  const UniqueFd file(memfd_create("events", MFD_CLOEXEC));
  EventWriter writer(file.get(), "a file");
  Sample sample;
  for (int i = 0; i < 500; ++i) writer.write(sample.resize);
  writer.write(sample.fatal);
  writer.write(sample.race);
  writer.write(sample.doubling);
  writer.write(sample.target);
  writer.write(Summary{});
  ASSERT_TRUE(writer.flush());
  std::istringstream lines(read_all(file.get()));
  std::map<std::string, int> counts;
  for (std::string line; std::getline(lines, line);) ++counts[json::parse(line).at("event")];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"resize", 500},
                                                {"fatal", 1},
                                                {"race", 1},
                                                {"doubling", 1},
                                                {"target", 1},
                                                {"summary", 1}}));
}

TEST(EventWriter, FatalIsNotHeldBack) {
  const UniqueFd file(memfd_create("events", MFD_CLOEXEC));
  EventWriter writer(file.get(), "a file");
  Sample sample;
  writer.write(sample.resize);
  EXPECT_EQ(read_all(file.get()), "");
  writer.write(sample.fatal);
  const std::string text = read_all(file.get());
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  writer.write(sample.doubling);
  EXPECT_EQ(read_all(file.get()), text);
  writer.write(sample.race);
  EXPECT_GT(read_all(file.get()).size(), text.size());
}

TEST(EventWriter, TimeIsTheBeginOnTheWallClock) {
  const UniqueFd file(memfd_create("events", MFD_CLOEXEC));
  EventWriter writer(file.get(), "a file");
  Sample sample;
  timespec before{};
  clock_gettime(CLOCK_REALTIME, &before);
  sample.resize.begin_ns = monotonic_now_ns();
  timespec after{};
  clock_gettime(CLOCK_REALTIME, &after);
  writer.write(sample.resize);
  ASSERT_TRUE(writer.flush());
  const std::string time = json::parse(read_all(file.get())).at("time");
  tm fields{};
  const char* rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S.", &fields);
  ASSERT_NE(rest, nullptr) << time;
  ASSERT_EQ(std::string(rest).size(), 10U) << time;
  EXPECT_EQ(rest[9], 'Z');
  const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000L + t.tv_nsec; };
  const long event_ns = timegm(&fields) * 1'000'000'000L + std::stol(std::string(rest, 9));
  // The clocks are read one after the other, and NTP may slew between.
  EXPECT_GE(event_ns, ns(before) - 1'000'000);
  EXPECT_LE(event_ns, ns(after) + 1'000'000);
}

TEST(EventWriter, ReaderThatWentAwayIsAnError) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd write_end(ends[1]);
  { const UniqueFd read_end(ends[0]); }
  signal(SIGPIPE, SIG_IGN);
  EventWriter writer(write_end.get(), "standard output");
  Sample sample;
  writer.write(sample.resize);
  const Status status = writer.flush();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().text, "cannot write events to standard output: Broken pipe");
}

TEST(EventWriter, LinesWithoutRoomAreCountedAndNoError) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  EventWriter writer(full.get(), "a disk");
  Sample sample;
  for (int i = 0; i < 3; ++i) writer.write(sample.resize);
  EXPECT_TRUE(writer.flush());
  EXPECT_EQ(writer.lost(), 3U);
  writer.write(sample.target);
  EXPECT_TRUE(writer.flush());
  EXPECT_EQ(writer.lost(), 4U);
}

TEST(WallClock, FormatsNanosecondsAndCarriesSeconds) {
  WallClock clock(1'700'000'000'000'000'000U);
  EXPECT_EQ(clock.rfc3339(7), "2023-11-14T22:13:20.000000007Z");
  EXPECT_EQ(clock.rfc3339(999'999'999), "2023-11-14T22:13:20.999999999Z");
  EXPECT_EQ(clock.rfc3339(1'000'000'000), "2023-11-14T22:13:21.000000000Z");
}

TEST(RecentResizes, KeepsTheLastNewestLast) {
  RecentResizes recent(3);
  Sample sample;
  for (uint64_t i = 1; i <= 5; ++i) {
    sample.resize.begin_ns = i;
    recent.add(sample.resize);
  }
  const json all = json::parse(recent.json(100));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].at("begin_ns"), 3);
  EXPECT_EQ(all[2].at("begin_ns"), 5);
}

TEST(RecentResizes, LimitTakesTheNewest) {
  RecentResizes recent(10);
  Sample sample;
  for (uint64_t i = 1; i <= 5; ++i) {
    sample.resize.begin_ns = i;
    recent.add(sample.resize);
  }
  const json two = json::parse(recent.json(2));
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].at("begin_ns"), 4);
  EXPECT_EQ(two[1].at("begin_ns"), 5);
  EXPECT_EQ(recent.json(0), "[]");
}

TEST(RecentResizes, OutlivesWhatTheResizePointedTo) {
  RecentResizes recent(2);
  {
    Sample sample;
    std::string type = "map[string]string, long enough to be on the heap";
    sample.resize.map_type = type;
    recent.add(sample.resize);
  }
  const json all = json::parse(recent.json(1));
  EXPECT_EQ(all[0].at("map").at("type"), "map[string]string, long enough to be on the heap");
  EXPECT_EQ(all[0].at("exe"), "/usr/bin/store");
  EXPECT_EQ(all[0].at("site").at("line"), 42);
}

TEST(RecentResizes, SlotUsedAgainForgetsTheOldSite) {
  RecentResizes recent(1);
  Sample sample;
  recent.add(sample.resize);
  sample.resize.stack = nullptr;
  recent.add(sample.resize);
  EXPECT_EQ(json::parse(recent.json(1))[0].at("site"), json::parse(R"({"addr": "0x4011c0"})"));
}

}  // namespace
}  // namespace mapscope
