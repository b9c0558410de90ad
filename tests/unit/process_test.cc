// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/process.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/poll.h"

namespace mapscope {
namespace {

// A copy of this test's own kind of program that waits for its end of a pipe to close.
class Waiting {
 public:
  explicit Waiting(const std::filesystem::path& program) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[0], STDIN_FILENO);
      ::close(ends[1]);
      ::execl(program.c_str(), "cat", nullptr);
      ::_exit(127);
    }
    ::close(ends[0]);
    write_end_ = ends[1];
    // In the middle of exec the program has its name already, but is not mapped yet.
    EXPECT_TRUE(test::poll_until([&] {
      const auto process = read_process(pid_);
      return process && !process->files.empty() && process->files.front().path == program;
    }));
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    ::close(write_end_);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int write_end_ = -1;
};

class MappedFileOpening : public ::testing::Test {
 protected:
  MappedFileOpening() {
    std::string name = std::filesystem::temp_directory_path() / "mapscope-process-XXXXXX";
    folder_ = std::filesystem::canonical(::mkdtemp(name.data()));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::filesystem::path copy_of_cat() const {
    std::filesystem::copy_file("/bin/cat", folder_ / "cat");
    return folder_ / "cat";
  }

  std::filesystem::path folder_;
};

TEST(Process, OwnProcessHasItsExecutableFirst) {
  const auto process = read_process(::getpid());
  ASSERT_TRUE(process.ok());
  EXPECT_EQ(process->pid, ::getpid());
  EXPECT_EQ(process->exe, std::filesystem::read_symlink("/proc/self/exe"));
  ASSERT_FALSE(process->files.empty());
  EXPECT_EQ(process->files.front().path, process->exe);
}

TEST(Process, EachFileIsListedOnce) {
  const auto process = read_process(::getpid());
  ASSERT_TRUE(process.ok());
  for (size_t i = 0; i < process->files.size(); ++i) {
    for (size_t j = i + 1; j < process->files.size(); ++j) {
      EXPECT_FALSE(process->files[i].dev == process->files[j].dev &&
                   process->files[i].inode == process->files[j].inode);
    }
  }
}

TEST(Process, MissingPidIsNotFound) {
  const auto process = read_process(999999999);
  ASSERT_FALSE(process.ok());
  EXPECT_EQ(process.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(process.error().text.find("no such process"), std::string::npos);
}

TEST(Process, ParenthesesAndSpacesInCommDoNotShiftTheStartTime) {
  std::array<char, 16> old_name{};
  ::prctl(PR_GET_NAME, old_name.data());
  const auto before = read_process(::getpid());
  ::prctl(PR_SET_NAME, ") R 1 2 (3 4");
  const auto after = read_process(::getpid());
  ::prctl(PR_SET_NAME, old_name.data());
  ASSERT_TRUE(before.ok());
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->comm, ") R 1 2 (3 4");
  EXPECT_EQ(after->start_ticks, before->start_ticks);
}

TEST(Process, RunningIsTrueForItselfOnly) {
  const auto process = read_process(::getpid());
  ASSERT_TRUE(process.ok());
  EXPECT_TRUE(is_running(process->pid, process->start_ticks));
  EXPECT_FALSE(is_running(process->pid, process->start_ticks + 1));
}

TEST_F(MappedFileOpening, OwnExecutableIsTheMappedFile) {
  const auto process = read_process(::getpid());
  ASSERT_TRUE(process.ok());
  const auto file = open_mapped_file(*process, process->files.front());
  ASSERT_TRUE(file.ok());
  struct stat opened {};
  ASSERT_EQ(::fstat(file->get(), &opened), 0);
  EXPECT_EQ(opened.st_ino, process->files.front().inode);
}

TEST_F(MappedFileOpening, DeletedExecutableIsStillOpened) {
  const auto program = copy_of_cat();
  const Waiting waiting(program);
  std::filesystem::remove(program);
  const auto process = read_process(waiting.pid());
  ASSERT_TRUE(process.ok());
  EXPECT_EQ(process->exe, program);
  EXPECT_TRUE(process->files.front().deleted);
  EXPECT_TRUE(open_mapped_file(*process, process->files.front()).ok());
}

TEST_F(MappedFileOpening, ReplacedExecutableIsTheOldFile) {
  const auto program = copy_of_cat();
  const Waiting waiting(program);
  std::filesystem::remove(program);
  std::ofstream(program) << "another file";
  const auto process = read_process(waiting.pid());
  ASSERT_TRUE(process.ok());
  const auto file = open_mapped_file(*process, process->files.front());
  ASSERT_TRUE(file.ok());
  struct stat opened {};
  ASSERT_EQ(::fstat(file->get(), &opened), 0);
  EXPECT_EQ(opened.st_ino, process->files.front().inode);
}

// It may be opened later; one that is gone may not.
TEST_F(MappedFileOpening, WantOfDescriptorsIsNotSaidOfTheFile) {
  const auto process = read_process(::getpid());
  ASSERT_TRUE(process.ok());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest = ::dup(STDIN_FILENO);
  ::close(lowest);
  for (const int left : {0, 1}) {
    const rlimit few{static_cast<rlim_t>(lowest + left), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto file = open_mapped_file(*process, process->files.front());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(file.ok());
    EXPECT_EQ(file.error().kind, ErrorKind::kSystem) << left;
    EXPECT_TRUE(file.error().text.ends_with(": Too many open files")) << file.error().text;
  }
}

TEST_F(MappedFileOpening, PipeInPlaceOfALibraryIsRefusedWithoutWaiting) {
  const auto pipe = folder_ / "pipe";
  ::mkfifo(pipe.c_str(), 0600);
  auto process = read_process(::getpid());
  ASSERT_TRUE(process.ok());
  struct stat status {};
  ASSERT_EQ(::stat(pipe.c_str(), &status), 0);
  const MappedFile file{pipe, 0, status.st_ino, false, {}};
  EXPECT_FALSE(open_mapped_file(*process, file).ok());
}

}  // namespace
}  // namespace mapscope
