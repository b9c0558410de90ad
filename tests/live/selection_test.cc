// SPDX-License-Identifier: Apache-2.0
// Processes that are found rather than named: those that run already, and those that come, by
// whichever way they come.
#include "tests/support/selection.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "target/map/hash_map.h"
#include "tests/paths.h"

namespace mapscope::test {
namespace {

const std::vector<std::string> kLoad = {"--inserts", "20000"};

void expect_truth(LiveAgent& agent, const LiveTarget& target) {
  const std::vector<Growth> truth = target.truth().growths;
  EXPECT_FALSE(truth.empty());
  EXPECT_EQ(difference(truth, agent.growths(target.pid())), "");
}

void read_line() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') continue;
}

void grow_map(uint64_t keys) {
  HashMap map;
  for (uint64_t key = 0; key < keys; ++key) map.insert(key, key);
}

TEST(Selection, ExeFindsRunningAndLaterProcessesAndNoOthers) {
  const TemporaryDirectory directory;
  const std::string wanted = copy_of_target(directory, "store");
  LiveTarget running(kLoad, {}, wanted);
  LiveTarget other(kLoad);
  LiveAgent agent({"--exe", directory / "st*"});
  LiveTarget later(kLoad, {}, wanted);
  ASSERT_TRUE(await_attached(agent, running.pid()));
  ASSERT_TRUE(await_attached(agent, later.pid()));
  for (LiveTarget* target : {&running, &later, &other}) ASSERT_EQ(target->run(), 0);
  ASSERT_TRUE(poll_until([&] {
    return times(agent, "gone", running.pid()) == 1 && times(agent, "gone", later.pid()) == 1;
  }));
  EXPECT_EQ(interrupt(agent), 0) << agent.process().err().text();
  expect_truth(agent, running);
  expect_truth(agent, later);
  EXPECT_TRUE(agent.growths(other.pid()).empty());
  EXPECT_TRUE(agent.lost_resizes().empty());
}

TEST(Selection, CommAndPidCombineAndExcludeWins) {
  const TemporaryDirectory directory;
  LiveTarget named(kLoad);
  LiveAgent agent({"--comm", "web-?", "--exclude", "*/web-3", "--pid", named.pid_text()});
  LiveTarget wanted(kLoad, {}, copy_of_target(directory, "web-1"));
  LiveTarget excluded(kLoad, {}, copy_of_target(directory, "web-3"));
  LiveTarget unwanted(kLoad, {}, copy_of_target(directory, "web-22"));
  LiveTarget last(kLoad, {}, copy_of_target(directory, "web-2"));
  for (LiveTarget* target : {&named, &wanted, &last})
    ASSERT_TRUE(await_attached(agent, target->pid()));
  for (LiveTarget* target : {&named, &wanted, &excluded, &unwanted, &last})
    ASSERT_EQ(target->run(), 0);
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", last.pid()) == 1; }));
  EXPECT_EQ(interrupt(agent), 0);
  for (const LiveTarget* target : {&named, &wanted, &last}) expect_truth(agent, *target);
  EXPECT_EQ(agent.events("target").size(), 6U);
}

TEST(Selection, WithNothingFoundItWaitsAndSaysSo) {
  LiveAgent agent({"--exe", "/no/such/program"});
  EXPECT_NE(agent.process().err().text().find("no process to watch yet"), std::string::npos);
  EXPECT_TRUE(agent.process().running());
  EXPECT_EQ(interrupt(agent), 0);
  EXPECT_EQ(agent.summary().at("targets").size(), 0U);
}

TEST(Selection, ProcessesOfOneBinaryShareItsProbesUntilTheLastIsGone) {
  const TemporaryDirectory directory;
  const std::string path = copy_of_target(directory, "shared");
  LiveAgent agent({"--exe", path});
  const size_t before = link_count(agent);
  LiveTarget first(kLoad, {}, path);
  ASSERT_TRUE(await_attached(agent, first.pid()));
  const size_t with_one = link_count(agent);
  const uint64_t probes = agent.metric("mapscope_probes", {"state=\"attached\""});
  LiveTarget second(kLoad, {}, path);
  ASSERT_TRUE(await_attached(agent, second.pid()));
  EXPECT_EQ(link_count(agent), with_one);
  EXPECT_EQ(agent.metric("mapscope_probes", {"state=\"attached\""}), probes);
  ASSERT_EQ(first.run(), 0);
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", first.pid()) == 1; }));
  EXPECT_EQ(link_count(agent), with_one);
  ASSERT_EQ(second.run(), 0);
  EXPECT_TRUE(poll_until([&] { return link_count(agent) == before; }));
  EXPECT_EQ(interrupt(agent), 0);
  for (const LiveTarget* target : {&first, &second}) {
    EXPECT_EQ(times(agent, "attached", target->pid()), 1U);
    expect_truth(agent, *target);
  }
}

TEST(Selection, DeletedBinaryThatRunsAlreadyIsFound) {
  const TemporaryDirectory directory;
  const std::string path = copy_of_target(directory, "deleted");
  LiveTarget target(kLoad, {}, path);
  std::filesystem::remove(path);
  LiveAgent agent({"--exe", path});
  ASSERT_TRUE(await_attached(agent, target.pid()));
  ASSERT_EQ(target.run(), 0);
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", target.pid()) == 1; }));
  EXPECT_EQ(interrupt(agent), 0);
  expect_truth(agent, target);
}

// The parent is this very program, which has the map linked in and is selected, too.
TEST(Selection, ForkThatRunsOnWithoutExecIsATarget) {
  LiveAgent agent({"--exe", std::filesystem::read_symlink("/proc/self/exe")});
  ASSERT_TRUE(await_attached(agent, ::getpid()));
  ChildProcess child({"true"}, {.before_exec = [] {
                       read_line();
                       grow_map(100);
                     }});
  ASSERT_TRUE(await_attached(agent, child.pid()));
  child.write_input("\n");
  ASSERT_EQ(child.wait(), 0);
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", child.pid()) == 1; }));
  EXPECT_EQ(interrupt(agent), 0);
  EXPECT_EQ(agent.growths(child.pid()).size(), 4U);  // at 8, 13, 26 and 52 entries
}

TEST(Selection, ThreadThatExecutesAProgramIsItsProcess) {
  const TemporaryDirectory directory;
  const std::string path = copy_of_target(directory, "by-thread");
  const std::string truth = directory / "truth";
  LiveAgent agent({"--exe", path});
  ChildProcess process({"true"}, {.before_exec = [&] {
                         std::thread([&] {
                           ::execl(path.c_str(), path.c_str(), "--wait", "--truth", truth.c_str(),
                                   "--inserts", "20000", nullptr);
                         }).join();
                       }});
  ASSERT_TRUE(await_attached(agent, process.pid()));
  process.write_input("\n");
  ASSERT_EQ(process.wait(), 0);
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", process.pid()) == 1; }));
  EXPECT_EQ(interrupt(agent), 0);
  EXPECT_EQ(difference(read_truth(truth).growths, agent.growths(process.pid())), "");
}

// Its program has no map; the kernel tells when it maps one that has.
TEST(Selection, LibraryThatComesAfterExecMakesATarget) {
  LiveAgent agent({"--comm", "cat"});
  ChildProcess process(
      {"env", std::string("LD_PRELOAD=") + MAPSCOPE_FIXTURE_CONTRACT_LIBRARY, "cat"});
  EXPECT_TRUE(await_attached(agent, process.pid())) << agent.process().err().text();
  EXPECT_EQ(interrupt(agent), 0);
}

// One that is a target already loads a map of another kind, in the middle of its life.
TEST(Selection, LibraryThatIsLoadedLaterIsProbed) {
  LiveAgent agent({"--exe", std::filesystem::read_symlink("/proc/self/exe")});
  ChildProcess child({"true"}, {.before_exec = [] {
                       read_line();
                       void* library = ::dlopen(MAPSCOPE_FIXTURE_CONTRACT_LIBRARY, RTLD_NOW);
                       read_line();
                       uint64_t table[2] = {0, 8};
                       const auto insert = reinterpret_cast<void (*)(uint64_t*, uint64_t)>(
                           ::dlsym(library, "mapscope_map_insert"));
                       for (uint64_t key = 1; key <= 100; ++key) insert(table, key);
                     }});
  ASSERT_TRUE(await_attached(agent, child.pid()));
  const size_t before = link_count(agent);
  child.write_input("\n");
  ASSERT_TRUE(poll_until([&] { return link_count(agent) > before; }));
  // Attached after the links are there.
  ASSERT_TRUE(poll_until([&] { return times(agent, "attached", child.pid()) == 2; }));
  child.write_input("\n");
  ASSERT_EQ(child.wait(), 0);
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", child.pid()) == 1; }));
  EXPECT_EQ(interrupt(agent), 0);
  EXPECT_EQ(agent.growths(child.pid()).size(), 4U);  // 8 to 128 slots
}

TEST(Selection, AgentDoesNotLookAtItself) {
  LiveAgent other({"--exe", "/no/such/program"});
  LiveAgent agent({"--comm", "agent", "--log.level", "debug"});
  const auto looked_at = [&](LiveAgent& who) {
    const std::string pid = "pid " + std::to_string(who.process().pid()) + " (agent)";
    return agent.process().err().text().find(pid) != std::string::npos;
  };
  EXPECT_TRUE(looked_at(other));
  EXPECT_FALSE(looked_at(agent));
}

}  // namespace
}  // namespace mapscope::test
