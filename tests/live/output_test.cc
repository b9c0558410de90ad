// SPDX-License-Identifier: Apache-2.0
// What a user reads without options, on a terminal and elsewhere; files of event lines.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/base/unique_fd.h"
#include "agent/export/text.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/selection.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(const std::string& text) {
  Lines lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

size_t count_of(const Lines& lines, const std::string& part) {
  return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
    return line.find(part) != std::string::npos;
  }));
}

// The agent as a user starts it, but for the port.
Lines said_of(LiveTarget& target, const Lines& options) {
  Lines command = {agent_path(), "--web.listen-address", "127.0.0.1:0", "--pid", target.pid_text()};
  command.insert(command.end(), options.begin(), options.end());
  ChildProcess agent(command);
  EXPECT_TRUE(poll_until([&] {
    return agent.err().text().find("metrics at") != std::string::npos || !agent.running();
  }));
  EXPECT_EQ(target.run(), 0);
  EXPECT_EQ(agent.wait(), 0) << agent.err().text();
  return lines_of(agent.out().text());
}

// As script(1) does it: the agent's standard output is a terminal of so many columns.
class Terminal {
 public:
  explicit Terminal(unsigned short columns) : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    const winsize size{50, columns, 0, 0};
    if (grantpt(master_.get()) != 0 || unlockpt(master_.get()) != 0 ||
        ioctl(master_.get(), TIOCSWINSZ, &size) != 0)
      throw std::runtime_error("no terminal");
    slave_ = UniqueFd(open(ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios raw{};
    tcgetattr(slave_.get(), &raw);
    cfmakeraw(&raw);
    tcsetattr(slave_.get(), TCSANOW, &raw);
    fcntl(master_.get(), F_SETFL, O_NONBLOCK);
  }
  [[nodiscard]] int slave() const { return slave_.get(); }
  // What was written to it so far, without colours.
  const std::string& text() {
    std::array<char, 4096> piece{};
    for (ssize_t got = 1; got > 0;) {
      got = read(master_.get(), piece.data(), piece.size());
      for (ssize_t i = 0; i < got; ++i) take(piece[static_cast<size_t>(i)]);
    }
    return text_;
  }

 private:
  void take(char byte) {
    if (byte == '\x1b') in_colour_ = true;
    if (!in_colour_) text_ += byte;
    if (byte == 'm') in_colour_ = false;
  }
  UniqueFd master_;
  UniqueFd slave_;
  std::string text_;
  bool in_colour_ = false;
};

Lines shown_on(unsigned short columns, const Lines& options) {
  Terminal terminal(columns);
  LiveTarget target({"--inserts", "500000", "--growth", "stop_the_world"});
  Lines command = {"--events", "text", "--pid", target.pid_text()};
  command.insert(command.end(), options.begin(), options.end());
  SpawnOptions spawn;
  spawn.before_exec = [&] { dup2(terminal.slave(), STDOUT_FILENO); };
  LiveAgent agent(command, spawn);
  target.begin();
  EXPECT_TRUE(poll_until([&] {
    terminal.text();
    return !agent.process().running();
  }));
  return lines_of(terminal.text());
}

TEST(Output, TerminalIsNotWrapped) {
  for (const unsigned short columns : std::array<unsigned short, 3>{80, 100, 160}) {
    const Lines lines = shown_on(columns, {"--min-stall", "0"});
    for (const std::string& line : lines) EXPECT_LE(character_count(line), columns) << line;
    EXPECT_EQ(count_of(lines, "STALL: what one insert paid"), 1U);
    EXPECT_EQ(count_of(lines, "  STALL   QUEUED    MOVE TIME"), 1U);
    EXPECT_EQ(count_of(lines, "KIND"), columns == 160 ? 1U : 0U);
    EXPECT_GE(count_of(lines, ".cc:"), 10U);
  }
}

TEST(Output, TerminalHidesShortStallsAndSaysHowMany) {
  const Lines lines = shown_on(100, {});
  EXPECT_EQ(count_of(lines, "Resizes shorter than 1.00 ms are counted, not shown"), 1U);
  EXPECT_GE(count_of(lines, " shorter than 1.00 ms"), 2U);
  EXPECT_EQ(count_of(lines, "had no row of their own (--min-stall)"), 1U);
  for (const std::string& line : lines) {
    const bool is_row =
        line.find("→") != std::string::npos && line.find(".cc:") != std::string::npos;
    EXPECT_FALSE(is_row && line.substr(0, 9).find("µs") != std::string::npos) << line;
  }
}

TEST(Output, FileHasEveryRowAndFullNames) {
  LiveTarget target({"--inserts", "20000"});
  const Lines lines = said_of(target, {});
  EXPECT_TRUE(lines.at(0).starts_with("STALL: what one insert paid")) << lines.at(0);
  const size_t growths = target.truth().growths.size();
  EXPECT_EQ(count_of(lines, "mapscope::HashMap "), growths + 1);  // and the table of the summary
  EXPECT_EQ(count_of(lines, "…"), 0U);
  const auto conclusion = std::ranges::find_if(
      lines, [](const std::string& line) { return line.starts_with("Inserts stalled for "); });
  ASSERT_NE(conclusion, lines.end());
  EXPECT_NE(conclusion->find(std::to_string(growths) + " resizes in target/"), std::string::npos)
      << *conclusion;
}

TEST(Output, SummaryAlone) {
  LiveTarget target({"--inserts", "20000"});
  const Lines lines = said_of(target, {"--events", "summary"});
  ASSERT_GE(lines.size(), 2U);
  EXPECT_EQ(lines[0], "");
  EXPECT_TRUE(lines[1].starts_with("Inserts stalled for ")) << lines[1];
}

TEST(Output, LinesGoToAFileWhileRowsStay) {
  const TemporaryDirectory directory;
  const std::string file = directory / "events.jsonl";
  std::ofstream(file) << "what was there before";
  LiveTarget target({"--inserts", "20000"});
  const Lines rows = said_of(target, {"-o", file});
  const size_t growths = target.truth().growths.size();
  EXPECT_EQ(count_of(rows, "mapscope::HashMap "), growths + 1);
  EXPECT_EQ(count_of(rows, "{"), 0U);
  std::ifstream stream(file);
  size_t resizes = 0;
  nlohmann::json last;
  for (std::string line; std::getline(stream, line);) {
    last = nlohmann::json::parse(line);
    resizes += last.at("event") == "resize" ? 1U : 0U;
  }
  EXPECT_EQ(resizes, growths);
  EXPECT_EQ(last.at("event"), "summary");
  EXPECT_FALSE(last.contains("hidden_resizes"));
}

TEST(Output, MinStallThatIsGivenHoldsForLines) {
  LiveTarget target({"--inserts", "20000"});
  const Lines lines = said_of(target, {"--events", "json", "--min-stall", "1h"});
  EXPECT_EQ(count_of(lines, R"({"event":"resize")"), 0U);
  const nlohmann::json summary = nlohmann::json::parse(lines.back());
  EXPECT_EQ(summary.at("hidden_resizes"), target.truth().growths.size());
  EXPECT_EQ(summary.at("targets").at(0).at("resizes"), target.truth().growths.size());
}

TEST(Output, FileThatCannotBeOpenedIsOneLine) {
  for (const char* path : {"/nonexistent/file", "/", "/dev"}) {
    ChildProcess agent({agent_path(), "--no-web", "-o", path, "--", "true"});
    EXPECT_EQ(agent.wait(), 2);
    const std::string said = agent.err().text();
    EXPECT_TRUE(said.starts_with("agent: --output: cannot write to '" + std::string(path))) << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  }
}

TEST(Output, FullDiskIsCountedAndReported) {
  LiveTarget target({"--inserts", "20000"});
  LiveAgent agent(target, {"--events", "summary", "-o", "/dev/full"});
  ASSERT_EQ(target.run(), 0);
  EXPECT_EQ(agent.wait(), 0);
  const std::string said = agent.process().err().text();
  EXPECT_NE(said.find("cannot write events to /dev/full: No space left on device"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("event lines found no room in /dev/full"), std::string::npos) << said;
  EXPECT_NE(agent.process().out().text().find("lost or incomplete: event_unwritten"),
            std::string::npos);
}

// They share a pipe, and each line is one or the other; of a command that writes whole lines, which
// 64 bytes are to programs that write in blocks.
TEST(Output, CommandAndEventsDoNotMixWithinALine) {
  const TemporaryDirectory directory;
  const std::string fifo = directory / "pipe";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string gate = directory / "gate";
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  const UniqueFd opener(::open(gate.c_str(), O_RDWR | O_CLOEXEC));
  const std::string program = copy_of_target(directory, "shared");
  std::string said = "a line of the command";
  said.resize(63, '.');
  const std::string script = "yes '" + said + "' | head -n 50000 & " + program +
                             " --wait --inserts 200000 <" + gate + "; wait";
  ChildProcess reader({"cat", fifo});
  ChildProcess agent({"sh", "-c",
                      "exec " + agent_path() +
                          " --no-web --events json --overhead-budget none --exe " + program +
                          " -- sh -c \"$1\" >\"$2\"",
                      "sh", script, fifo});
  // It may end before it is found otherwise.
  ASSERT_TRUE(poll_until(
      [&] { return count_of(lines_of(reader.out().text()), "\"state\":\"attached\"") != 0; }));
  ASSERT_EQ(::write(opener.get(), "\n", 1), 1);
  EXPECT_TRUE(poll_until([&] {
    const Lines lines = lines_of(reader.out().text());
    return count_of(lines, said) == 50000 && count_of(lines, "\"state\":\"gone\"") != 0;
  }));
  agent.signal(SIGINT);
  EXPECT_EQ(agent.wait(), 0) << agent.err().text();
  EXPECT_EQ(reader.wait(), 0);
  size_t events = 0;
  for (const std::string& line : lines_of(reader.out().text())) {
    if (line == said) continue;
    if (line.starts_with("{\"event\"")) {
      ASSERT_TRUE(nlohmann::json::accept(line)) << line;
      ++events;
    } else {
      ASSERT_EQ(line.find("a line of the command"), std::string::npos) << line;
    }
  }
  EXPECT_GT(events, 0U);
}

TEST(Output, DurationsHaveUnits) {
  LiveTarget target({"--seconds", "600"});
  LiveAgent agent(target, {"--seconds", "300ms", "--mode", "inserts", "--mode-seconds", "5m"});
  target.begin();
  EXPECT_EQ(agent.wait(), 0) << agent.process().err().text();
}

TEST(Output, InsertsAreShown) {
  LiveTarget target({"--seconds", "600"});
  LiveAgent agent(target, {"--events", "text", "--mode", "inserts", "--seconds", "3"});
  target.begin();
  EXPECT_EQ(agent.wait(), 0);
  const Lines lines = lines_of(agent.process().out().text());
  EXPECT_GE(count_of(lines, " inserts in "), 1U);
  EXPECT_EQ(count_of(lines, "      INSERTS    MEAN"), 1U);
}

nlohmann::json first_pause(LiveAgent& agent, pid_t pid) {
  const auto pauses = agent.events("pause");
  const auto found =
      std::ranges::find_if(pauses, [&](const auto& event) { return event.at("pid") == pid; });
  return found == pauses.end() ? nlohmann::json() : *found;
}

// One process costs too much; the other runs the same file and shares its probes.
TEST(Output, PauseIsAnEventAndInTheSummary) {
  const TemporaryDirectory directory;
  const std::string program = copy_of_target(directory, "paused");
  LiveTarget busy({"--workload", "tiny", "--seconds", "600"}, {}, program);
  LiveTarget idle({"--inserts", "1"}, {}, program);
  // Without its resizes, of which there are more than a small machine has room for.
  LiveAgent agent({"--exe", program, "--overhead-budget", "1%", "--min-stall", "1h"});
  busy.begin();
  ASSERT_TRUE(poll_until([&] { return !first_pause(agent, busy.pid()).is_null(); }));
  LiveTarget late({"--inserts", "1"}, {}, program);
  for (const pid_t pid : {busy.pid(), idle.pid(), late.pid()}) {
    ASSERT_TRUE(poll_until([&] { return !first_pause(agent, pid).is_null(); })) << pid;
    const nlohmann::json event = first_pause(agent, pid);
    EXPECT_EQ(event.at("state"), "begin");
    EXPECT_EQ(event.at("reason"), "overhead_budget");
    EXPECT_GT(event.at("until_ns"), event.at("time_ns"));
    EXPECT_EQ(event.contains("cause"), pid != busy.pid()) << event;
    if (pid != busy.pid()) {
      EXPECT_EQ(event.at("cause").at("pid"), busy.pid());
    }
  }
  agent.process().signal(SIGINT);
  EXPECT_EQ(agent.wait(), 0);
  const nlohmann::json paused = agent.summary().at("paused");
  ASSERT_EQ(paused.size(), 3U);
  for (const nlohmann::json& process : paused)
    EXPECT_LT(process.at("watched_ns"), process.at("present_ns"));
  EXPECT_NE(agent.process().err().text().find("not watched either: the same file as paused/"),
            std::string::npos)
      << agent.process().err().text();
}

}  // namespace
}  // namespace mapscope::test
