// SPDX-License-Identifier: Apache-2.0
// What may befall a program that is watched.
#include <dlfcn.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "target/map/hash_map.h"
#include "tests/faults/fault.h"
#include "tests/paths.h"

namespace mapscope::test {
namespace {

constexpr uint64_t kForeverUs = 3'600'000'000;
constexpr uint64_t kUsPerNs = 1000;

uint64_t pending(Scene& scene) { return scene.agent().metric("mapscope_pending_resizes"); }
uint64_t expired(Scene& scene) { return scene.agent().metric("mapscope_resizes_expired_total"); }

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

void await_line() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') continue;
}

// Its only growth never ends.
const std::vector<std::string> kStuck = {"--inserts", "1000", "--sleep-in-grow",
                                         std::to_string(kForeverUs)};

void expect_death_inside(Scene& scene, LiveTarget& target) {
  target.begin();
  ASSERT_TRUE(poll_until([&] { return pending(scene) == 1; }));
  target.process().signal(SIGKILL);
  ASSERT_EQ(target.process().wait(), 128 + SIGKILL);
  ASSERT_TRUE(scene.await_gone(target.pid()));
  EXPECT_EQ(expired(scene), 1U);
  EXPECT_EQ(pending(scene), 0U);
  EXPECT_TRUE(scene.agent().growths(target.pid()).empty());
}

void kill_inside_resize(Scene& scene) {
  expect_death_inside(scene, scene.add_watched("victim", kStuck));
}

// This very program, which has the map linked in, becomes another while one of its threads is in a
// growth.
void exec_inside_resize(Scene& scene) {
  const TemporaryDirectory directory;
  const std::string program = scene.path("bystander");
  ChildProcess process({program, "--wait", "--truth", directory / "truth", "--inserts", "20000"},
                       {.before_exec = [] {
                         await_line();
                         std::thread([] {
                           HashMap map({.sleep_in_grow_ns = kForeverUs * kUsPerNs});
                           for (uint64_t key = 0; key < 100; ++key) map.insert(key, key);
                         }).detach();
                         await_line();
                       }});
  ASSERT_TRUE(await_attached(scene.agent(), process.pid()));
  process.write_input("\n");
  ASSERT_TRUE(poll_until([&] { return pending(scene) == 1; }));
  process.write_input("\n");
  ASSERT_TRUE(poll_until([&] { return times(scene.agent(), "attached", process.pid()) == 2; }));
  EXPECT_EQ(expired(scene), 1U);
  process.write_input("\n");
  ASSERT_EQ(process.wait(), 0);
  ASSERT_TRUE(poll_until([&] { return times(scene.agent(), "gone", process.pid()) == 2; }));
  EXPECT_EQ(
      difference(read_truth(directory / "truth").growths, scene.agent().growths(process.pid())),
      "");
}

void replace_binary(Scene& scene) {
  LiveTarget& old_one = scene.add_watched("program", {"--inserts", "20000"});
  const size_t links = link_count(scene.agent());
  std::filesystem::copy_file(target_path(), scene.path("new"));
  std::filesystem::rename(scene.path("new"), scene.path("program"));
  LiveTarget& new_one = scene.add_watched("program", {"--inserts", "20000"});
  EXPECT_TRUE(poll_until([&] { return link_count(scene.agent()) > links; }));
  scene.expect_run(old_one);
  scene.expect_run(new_one);
}

bool is_mapped(const std::string& path) {
  std::ifstream maps("/proc/self/maps");
  const std::string text{std::istreambuf_iterator<char>(maps), {}};
  return text.find(path) != std::string::npos;
}

// Loads a library, grows its map, lets go of it.
void use_library() {
  void* library = ::dlopen(MAPSCOPE_FIXTURE_CONTRACT_LIBRARY, RTLD_NOW);
  await_line();
  uint64_t table[2] = {0, 8};
  const auto insert =
      reinterpret_cast<void (*)(uint64_t*, uint64_t)>(::dlsym(library, "mapscope_map_insert"));
  for (uint64_t key = 1; key <= 100; ++key) insert(table, key);
  ::dlclose(library);
  if (is_mapped(MAPSCOPE_FIXTURE_CONTRACT_LIBRARY)) ::_exit(1);
}

void unmap_library(Scene& scene) {
  ChildProcess process({"true"}, {.before_exec = [] {
                         await_line();
                         use_library();
                         use_library();
                       }});
  LiveAgent& agent = scene.agent();
  ASSERT_TRUE(await_attached(agent, process.pid()));
  process.write_input("\n");
  ASSERT_TRUE(poll_until([&] { return times(agent, "attached", process.pid()) == 2; }));
  process.write_input("\n");
  ASSERT_TRUE(poll_until([&] { return agent.growths(process.pid()).size() == 4; }));
  process.write_input("\n");
  ASSERT_EQ(process.wait(), 0);
  ASSERT_TRUE(scene.await_gone(process.pid()));
  EXPECT_EQ(agent.growths(process.pid()).size(), 8U);  // 8 to 128 slots, twice
}

// The thread that grows the map; the first one only waits.
pid_t worker_of(pid_t pid) {
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    const auto tid = static_cast<pid_t>(std::stol(task.path().filename()));
    if (tid != pid) return tid;
  }
  return 0;
}

void trace(Scene& scene) {
  LiveTarget& target = scene.add("victim", {"--inserts", "20000"});
  const pid_t tid = worker_of(target.pid());
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, tid, nullptr, nullptr), 0);
  ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(tid, &status, __WALL), tid);
  ASSERT_TRUE(await_attached(scene.agent(), target.pid()));
  target.begin();
  // One instruction at a time, over the probes of a growth.
  const auto stepped = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      if (::ptrace(PTRACE_SINGLESTEP, tid, nullptr, nullptr) != 0) return false;
      if (::waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) return false;
    }
    return true;
  };
  ASSERT_TRUE(poll_until(
      [&] { return !stepped(1000) || scene.agent().growths(target.pid()).size() >= 1; }));
  ASSERT_TRUE(WIFSTOPPED(status));
  ASSERT_EQ(::ptrace(PTRACE_DETACH, tid, nullptr, nullptr), 0);
  ASSERT_EQ(target.process().wait(), 0);
  scene.expect_truth(target);
}

void run_many_threads(Scene& scene) {
  LiveTarget& target = scene.add_watched(
      "victim", {"--workload", "tiny", "--inserts", "150000", "--threads", "10000"});
  ASSERT_EQ(target.run(), 0) << target.process().err().text();
  ASSERT_TRUE(scene.await_gone(target.pid()));
  const Truth truth = target.truth();
  EXPECT_GE(tids_of(truth.growths).size(), 9000U);
  EXPECT_EQ(scene.agent().growths(target.pid()).size(), truth.growths.size());
  EXPECT_EQ(scene.lost("thread_table_full"), 0U);
  EXPECT_EQ(scene.lost("ring_full_resize"), 0U);
}

// A file system of its own, which goes with its last process.
void remove_container(Scene& scene) {
  const size_t links = link_count(scene.agent());
  const std::string root = scene.path("container");
  std::filesystem::create_directory(root);
  ChildProcess process(
      {root + "/victim", "--inserts", "1000", "--sleep-in-grow", std::to_string(kForeverUs)},
      {.before_exec = [&] {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("none", root.c_str(), "tmpfs", 0, nullptr) != 0)
          ::_exit(1);
        std::filesystem::copy_file(target_path(), root + "/victim");
        await_line();
      }});
  process.write_input("\n");
  ASSERT_TRUE(await_attached(scene.agent(), process.pid())) << process.err().text();
  ASSERT_FALSE(std::filesystem::exists(root + "/victim"));
  ASSERT_GT(link_count(scene.agent()), links);
  process.signal(SIGKILL);
  ASSERT_EQ(process.wait(), 128 + SIGKILL);
  ASSERT_TRUE(scene.await_gone(process.pid()));
  EXPECT_TRUE(poll_until([&] { return link_count(scene.agent()) == links; }));
}

const Fault kTargets[] = {
    {"KilledInsideAResize", "a target is killed -9 in the middle of a resize",
     "the resize is counted as expired, none is reported", "gone inside 1 of its resizes",
     kill_inside_resize},
    {"ExecInsideAResize",
     "a target executes another program in the middle of a resize",
     "the resize is counted as expired, the new program is watched from its first growth",
     "gone inside 1 of its resizes",
     exec_inside_resize,
     {"--exe", own_program()}},
    {"BinaryReplaced", "a binary is replaced on disk while it runs",
     "old and new are two files, both are watched", "", replace_binary},
    {"LibraryUnmapped",
     "a target unmaps a library that is probed, and maps it again",
     "growths of both lives are seen, the target ends well",
     "",
     unmap_library,
     {"--exe", own_program()}},
    {"Traced", "a debugger steps through a target, over the probes", "truth and exit status stay",
     "", trace},
    {"TenThousandThreads", "10,000 threads of one target grow maps", "nothing is lost", "",
     run_many_threads},
    {"ContainerRemoved", "a container is removed while its program is watched",
     "its probes go, and with them what held its file system", "", remove_container},
};

INSTANTIATE_TEST_SUITE_P(Target, Faults, testing::ValuesIn(kTargets), fault_name);

}  // namespace
}  // namespace mapscope::test
