// SPDX-License-Identifier: Apache-2.0
#include "agent/export/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <string>
#include <thread>

#include "agent/base/unique_fd.h"

namespace mapscope {
namespace {

// Everything until the last writer has gone, slowly enough for the pipe to be full all the time.
std::string read_slowly(int fd) {
  std::string text;
  std::array<char, 1000> piece{};
  for (ssize_t got = 1; got > 0;) {
    got = read(fd, piece.data(), piece.size());
    if (got > 0) text.append(piece.data(), static_cast<size_t>(got));
    std::this_thread::yield();
  }
  return text;
}

// As a command does that the agent has started.
void write_lines(int fd, size_t count) {
  const std::string line = std::string(77, 'c') + '\n';
  for (size_t i = 0; i < count; ++i)
    ASSERT_EQ(write(fd, line.data(), line.size()), static_cast<ssize_t>(line.size()));
}

void expect_whole_lines(bool nonblocking) {
  constexpr size_t kLines = 500;
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  UniqueFd command_end(dup(write_end.get()));
  if (nonblocking) fcntl(write_end.get(), F_SETFL, O_NONBLOCK);
  std::thread command([&] {
    if (!nonblocking) write_lines(command_end.get(), kLines);
    command_end.reset();
  });
  std::thread agent([&] {
    LineWriter lines(write_end.get(), "standard output");
    for (size_t i = 0; i < kLines; ++i) lines.add(std::string(100 + i % 2000, 'a'));
    EXPECT_TRUE(lines.flush());
    write_end.reset();
  });
  const std::string text = read_slowly(read_end.get());
  command.join();
  agent.join();
  size_t count = 0;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line); ++count)
    ASSERT_EQ(line.find_first_not_of(line[0]), std::string::npos) << line;
  EXPECT_EQ(count, nonblocking ? kLines : 2 * kLines);
}

TEST(LineWriter, ConcurrentWritersOfAPipeDoNotMixTheirLines) { expect_whole_lines(false); }

TEST(LineWriter, ConcurrentReaderOfANonBlockingPipeIsWaitedFor) { expect_whole_lines(true); }

TEST(LineWriter, LineLongerThanAPipeTakesAtOnceIsWritten) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  LineWriter lines(write_end.get(), "standard output");
  lines.add("short");
  lines.add(std::string(10'000, 'l'));
  lines.add("short");
  ASSERT_TRUE(lines.flush());
  write_end.reset();
  EXPECT_EQ(read_slowly(read_end.get()), "short\n" + std::string(10'000, 'l') + "\nshort\n");
}

}  // namespace
}  // namespace mapscope
