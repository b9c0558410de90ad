// SPDX-License-Identifier: Apache-2.0
// Processes in containers: which they are in, and that two of one image share a file though each
// sees it on a file system of its own. Made of what containers are made of: cgroups and overlays.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "tests/support/selection.h"

namespace mapscope::test {
namespace {

const std::string kId(64, 'c');
const std::string kPod = "1a2b3c4d-5e6f-4a1b-8c2d-9e0f1a2b3c4d";

// A mount that goes with the test.
class Mount {
 public:
  Mount(const std::string& type, const std::string& at, const std::string& options = "") : at_(at) {
    std::filesystem::create_directories(at);
    if (::mount("none", at.c_str(), type.c_str(), 0, options.c_str()) != 0)
      throw std::runtime_error("cannot mount " + type + " at " + at + ": " + std::strerror(errno));
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() { ::umount2(at_.c_str(), MNT_DETACH); }

 private:
  std::string at_;
};

TEST(Container, IdAndPodAreOnMetricsAndEvents) {
  const TemporaryDirectory directory;
  const Mount mount("cgroup2", directory / "cgroup");
  const std::filesystem::path pods = directory / "cgroup/kubepods-mapscope-test";
  const std::filesystem::path cgroup = pods / ("pod" + kPod) / kId;
  std::filesystem::create_directories(cgroup);
  {
    LiveTarget target({"--inserts", "20000"}, {.before_exec = [&] {
                        std::ofstream(cgroup / "cgroup.procs") << ::getpid() << std::flush;
                      }});
    LiveTarget outside({"--inserts", "20000"});
    LiveAgent agent({"--exe", target_path()});
    ASSERT_TRUE(await_attached(agent, target.pid()));
    ASSERT_TRUE(await_attached(agent, outside.pid()));
    const std::string id = "container_id=\"" + kId + "\"";
    EXPECT_EQ(agent.metric("mapscope_target_info", {id, "pod_uid=\"" + kPod + "\""}), 1U);
    ASSERT_EQ(target.run(), 0);
    ASSERT_EQ(outside.run(), 0);
    ASSERT_TRUE(poll_until([&] { return times(agent, "gone", outside.pid()) == 1; }));
    ASSERT_TRUE(poll_until([&] { return times(agent, "gone", target.pid()) == 1; }));
    const uint64_t in_container = agent.metric("mapscope_resizes_total", {id});
    EXPECT_EQ(in_container, target.truth().growths.size());
    EXPECT_EQ(agent.metric("mapscope_resizes_total"),
              in_container + outside.truth().growths.size());
    EXPECT_EQ(interrupt(agent), 0);
    for (const nlohmann::json& event : agent.events("resize")) {
      const bool is_inside = event.at("pid") == target.pid();
      EXPECT_EQ(event.value("container_id", ""), is_inside ? kId : "");
      EXPECT_EQ(event.value("pod_uid", ""), is_inside ? kPod : "");
    }
  }
  for (const auto& path : {cgroup, cgroup.parent_path(), pods}) ::rmdir(path.c_str());
}

// A control group with a memory limit, of whichever hierarchy has that controller, and that
// hierarchy where processes look for it.
class LimitedGroup {
 public:
  LimitedGroup() : v2_(std::in_place, "cgroup2", directory_ / "v2") {
    std::string controllers;
    std::getline(std::ifstream(directory_ / "v2/cgroup.controllers"), controllers);
    is_v2_ = controllers.find("memory") != std::string::npos;
    if (is_v2_)
      std::ofstream(directory_ / "v2/cgroup.subtree_control") << "+memory" << std::flush;
    else
      v1_.emplace("cgroup", directory_ / "v1", "memory");
    group_ = std::filesystem::path(directory_ / (is_v2_ ? "v2" : "v1")) / "mapscope-test-limited";
    std::filesystem::create_directory(group_);
  }
  LimitedGroup(const LimitedGroup&) = delete;
  LimitedGroup& operator=(const LimitedGroup&) = delete;
  ~LimitedGroup() { ::rmdir(group_.c_str()); }

  void limit(uint64_t bytes) const {
    std::ofstream(group_ / (is_v2_ ? "memory.max" : "memory.limit_in_bytes"))
        << bytes << std::flush;
  }
  void enter() const {
    std::ofstream(group_ / "cgroup.procs") << ::getpid() << std::flush;
    ::unshare(CLONE_NEWNS);
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (is_v2_) {
      ::mount("none", "/sys/fs/cgroup", "cgroup2", 0, nullptr);
    } else if (!std::filesystem::exists("/sys/fs/cgroup/memory/memory.usage_in_bytes")) {
      ::mount("none", "/sys/fs/cgroup", "tmpfs", 0, nullptr);
      std::filesystem::create_directory("/sys/fs/cgroup/memory");
      ::mount("none", "/sys/fs/cgroup/memory", "cgroup", 0, "memory");
    }
  }

 private:
  TemporaryDirectory directory_;
  std::optional<Mount> v2_;
  std::optional<Mount> v1_;
  bool is_v2_ = false;
  std::filesystem::path group_;
};

TEST(Container, MemoryLimitAndLargestMapAreTold) {
  constexpr uint64_t kMiB = 1U << 20;
  constexpr const char* kHeadroom = "mapscope_target_memory_headroom_bytes";
  const LimitedGroup group;
  group.limit(512 * kMiB);
  LiveTarget target({"--keys", "20000", "--seconds", "3600"},
                    {.before_exec = [&] { group.enter(); }});
  LiveAgent agent(target);
  EXPECT_GT(agent.metric(kHeadroom), 256 * kMiB);
  EXPECT_LT(agent.metric(kHeadroom), 512 * kMiB);
  group.limit(128 * kMiB);
  EXPECT_LT(agent.metric(kHeadroom), 128 * kMiB);
  target.begin();
  uint64_t largest = 0;
  ASSERT_TRUE(poll_until([&] {
    for (const nlohmann::json& event : agent.events("resize"))
      largest = std::max<uint64_t>(largest, event.at("new_bytes"));
    return largest > 0 && agent.metric("mapscope_map_largest_bytes") == largest;
  }));
  target.process().signal(SIGKILL);
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", target.pid()) == 1; }));
  EXPECT_EQ(agent.wait(), 0);
}

// The kernel probes the file below both: attached twice, each growth would be counted twice.
TEST(Container, TwoOverlaysOfOneImageShareItsFile) {
  const TemporaryDirectory directory;
  // An overlay cannot have another one below it everywhere.
  const Mount disk("tmpfs", directory / "disk", "mode=0755");
  const std::filesystem::path image = directory / "disk/image";
  std::filesystem::create_directories(image);
  std::filesystem::copy_file(target_path(), image / "store");
  const auto overlay = [&](const std::string& name) {
    const std::string base = directory / "disk" + "/" + name;
    std::filesystem::create_directories(base + "/upper");
    std::filesystem::create_directories(base + "/work");
    return "lowerdir=" + image.string() + ",upperdir=" + base + "/upper,workdir=" + base + "/work";
  };
  const Mount first_root("overlay", directory / "first", overlay("a"));
  const Mount second_root("overlay", directory / "second", overlay("b"));
  LiveTarget first({"--inserts", "20000"}, {}, directory / "first/store");
  LiveAgent agent({"--comm", "store"});
  ASSERT_TRUE(await_attached(agent, first.pid()));
  const size_t links = link_count(agent);
  LiveTarget second({"--inserts", "20000"}, {}, directory / "second/store");
  ASSERT_TRUE(await_attached(agent, second.pid()));
  EXPECT_EQ(link_count(agent), links);
  ASSERT_EQ(first.run(), 0);
  ASSERT_EQ(second.run(), 0);
  ASSERT_TRUE(poll_until([&] { return times(agent, "gone", second.pid()) == 1; }));
  EXPECT_EQ(interrupt(agent), 0);
  EXPECT_EQ(difference(first.truth().growths, agent.growths(first.pid())), "");
  EXPECT_EQ(difference(second.truth().growths, agent.growths(second.pid())), "");
  EXPECT_TRUE(agent.lost_resizes().empty());
}

}  // namespace
}  // namespace mapscope::test
