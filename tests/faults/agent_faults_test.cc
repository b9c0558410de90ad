// SPDX-License-Identifier: Apache-2.0
// What may befall the agent itself and what it stands on.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/faults/fault.h"
#include "tests/support/http_client.h"

namespace mapscope::test {
namespace {

const std::vector<std::string> kLoad = {"--inserts", "20000"};
const std::vector<std::string> kEndless = {"--seconds", "3600", "--keys", "100000"};

void kill_and_restart(Scene& scene) {
  LiveTarget& target = scene.add_watched("victim", kEndless);
  target.begin();
  ASSERT_TRUE(poll_until([&] { return scene.agent().growths(target.pid()).size() >= 5; }));
  const KernelObjects held = kernel_objects_of(scene.agent().process().pid());
  ASSERT_GE(held.programs.size(), 4U);
  ASSERT_GE(held.maps.size(), 4U);
  ASSERT_GE(held.links.size(), 4U);
  ASSERT_EQ(count_existing(held), held.programs.size() + held.maps.size() + held.links.size());
  scene.agent().process().signal(SIGKILL);
  ASSERT_EQ(scene.agent().wait(), 128 + SIGKILL);
  EXPECT_TRUE(poll_until([&] { return count_existing(held) == 0; })) << count_existing(held);
  const std::vector<Growth> before = scene.agent().growths(target.pid());

  scene.start_agent();
  ASSERT_TRUE(poll_until([&] { return scene.agent().growths(target.pid()).size() >= 5; }));
  target.process().signal(SIGINT);
  ASSERT_EQ(target.process().wait(), 0);
  ASSERT_TRUE(scene.await_gone(target.pid()));
  // The first agent told how it began, the second how it ended, and neither what the other did.
  const std::vector<Growth> after = scene.agent().growths(target.pid());
  const std::vector<Growth> truth = target.truth().growths;
  ASSERT_GE(truth.size(), before.size() + after.size());
  const auto end_of_first = truth.begin() + static_cast<ptrdiff_t>(before.size());
  const auto begin_of_second = truth.end() - static_cast<ptrdiff_t>(after.size());
  EXPECT_EQ(difference({truth.begin(), end_of_first}, before), "");
  EXPECT_EQ(difference({begin_of_second, truth.end()}, after), "");
}

// The agent's own view of /proc, which others do not share.
void take_mount_namespace() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    ::_exit(1);
}

void hide_processes() {
  take_mount_namespace();
  if (::mount("proc", "/proc", "proc", 0, "hidepid=2") != 0) ::_exit(1);
}

void cover_proc() {
  if (::mount("none", "/proc", "tmpfs", 0, nullptr) != 0) ::_exit(1);
}

// What `act` does in the mount namespace of the agent.
void in_namespace_of(LiveAgent& agent, void (*act)()) {
  const std::string name = "/proc/" + std::to_string(agent.process().pid()) + "/ns/mnt";
  ChildProcess process({"true"}, {.before_exec = [&] {
                         const UniqueFd space(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
                         if (::setns(space.get(), CLONE_NEWNS) != 0) ::_exit(1);
                         act();
                         ::_exit(0);
                       }});
  ASSERT_EQ(process.wait(), 0);
}

// Longer than it takes the agent to look for targets that have ended without a record.
void lose_proc(Scene& scene) {
  LiveTarget& target = scene.add_watched("victim", {"--seconds", "6", "--keys", "100000"});
  in_namespace_of(scene.agent(), cover_proc);
  LiveTarget& unseen = scene.add("late", kLoad);
  ASSERT_TRUE(scene.await_said("processes that come are not found"));
  EXPECT_EQ(times(scene.agent(), "attached", unseen.pid()), 0U);
  scene.expect_run(target);
  in_namespace_of(scene.agent(), [] { ::_exit(::umount("/proc") == 0 ? 0 : 1); });
  ASSERT_TRUE(await_attached(scene.agent(), unseen.pid()));
  scene.expect_run(unseen);
}

void start_without_proc(Scene& scene) {
  LiveTarget& target = scene.add_watched("victim", kLoad);
  ChildProcess blind({agent_path(), "--no-web", "--pid", target.pid_text()}, {.before_exec = [] {
                       take_mount_namespace();
                       cover_proc();
                     }});
  EXPECT_EQ(blind.wait(), 1);
  const std::string said = blind.err().text();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(said.find("/proc cannot be read: No such file"), std::string::npos) << said;
  scene.expect_run(target);
}

void run_one(Scene& scene) { scene.expect_run(scene.add_watched("victim", kLoad)); }

size_t count_open_files(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory),
                                           std::filesystem::directory_iterator()));
}

// Some that it opens while it attaches come after it has said so, or go again.
size_t count_lasting_files(pid_t pid) {
  constexpr int kLooks = 50;
  size_t count = 0;
  int same = 0;
  EXPECT_TRUE(poll_until([&] {
    const size_t now = count_open_files(pid);
    same = now == count ? same + 1 : 0;
    count = now;
    return same == kLooks;
  }));
  return count;
}

void exhaust_descriptors(Scene& scene) {
  LiveTarget& first = scene.add_watched("first", kLoad);
  const pid_t pid = scene.agent().process().pid();
  rlimit before{};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &before), 0);
  // Enough to be asked and to look at a process, too few for probes.
  const rlim_t few = count_lasting_files(pid) + 4;
  const rlimit tight{few, before.rlim_max};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &tight, nullptr), 0);
  LiveTarget& refused = scene.add("refused", kLoad);
  ASSERT_TRUE(scene.await_said("Too many open files")) << scene.agent().process().err().text();
  EXPECT_GE(scene.agent().metric("mapscope_attach_errors_total"), 1U);
  EXPECT_EQ(refused.run(), 0);
  scene.expect_run(first);
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &before, nullptr), 0);
  scene.expect_run(scene.add_watched("later", kLoad));
}

// No descriptor at all: not even /proc can be read.
void exhaust_all_descriptors(Scene& scene) {
  LiveTarget& target = scene.add_watched("first", {"--seconds", "6", "--keys", "100000"});
  const pid_t pid = scene.agent().process().pid();
  rlimit before{};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &none, nullptr), 0);
  LiveTarget& late = scene.add("late", kLoad);
  ASSERT_TRUE(scene.await_said("processes that come are not found"));
  ASSERT_EQ(target.run(), 0);
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &before, nullptr), 0);
  scene.expect_truth(target);
  ASSERT_TRUE(await_attached(scene.agent(), late.pid()));
  scene.expect_run(late);
}

// A disk that goes with the test.
class SmallDisk {
 public:
  explicit SmallDisk(std::string at) : at_(std::move(at)) {
    std::filesystem::create_directory(at_);
    if (::mount("none", at_.c_str(), "tmpfs", 0, "size=64k") != 0)
      throw std::runtime_error("cannot mount " + at_);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { ::umount2(at_.c_str(), MNT_DETACH); }
  void fill() const {
    std::ofstream filler(at_ + "/filler");
    while (filler << std::string(4096, 'x') << std::flush) continue;
  }
  void make_room() const { std::filesystem::remove(at_ + "/filler"); }
  [[nodiscard]] std::string events() const { return at_ + "/events"; }

 private:
  std::string at_;
};

size_t events_of(const std::string& path, const LiveTarget& target) {
  std::ifstream file(path);
  size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    const auto event = nlohmann::json::parse(line, nullptr, false);
    count += event.is_object() && event.at("event") == "resize" && event.at("pid") == target.pid();
  }
  return count;
}

void fill_disk(Scene& scene) {
  const TemporaryDirectory directory;
  const SmallDisk disk(directory / "disk");
  LiveTarget& first = scene.add_watched("first", kLoad);
  LiveTarget& second = scene.add_watched("second", kLoad);
  LiveAgent agent({"--pid", first.pid_text(), "--pid", second.pid_text()}, {.before_exec = [&] {
                    const int file =
                        ::open(disk.events().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
                    if (::dup2(file, STDOUT_FILENO) < 0) ::_exit(1);
                  }});
  disk.fill();
  scene.expect_run(first);
  const size_t first_growths = first.truth().growths.size();
  ASSERT_TRUE(poll_until([&] { return agent.metric("mapscope_resizes_total") == first_growths; }));
  ASSERT_TRUE(
      poll_until([&] { return agent.metric("mapscope_targets", {"state=\"attached\""}) == 1; }));
  const uint64_t lost = agent.metric("mapscope_records_lost_total", {"reason=\"event_unwritten\""});
  EXPECT_GE(lost, 1U);
  disk.make_room();
  scene.expect_run(second);
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(events_of(disk.events(), second), second.truth().growths.size());
  const std::string said = agent.process().err().text();
  EXPECT_NE(said.find("No space left on device; events are lost and counted"), std::string::npos);
  EXPECT_NE(said.find("standard output takes events again; "), std::string::npos) << said;
}

// They ask and do not read, or do not even ask.
void hang_scrapers(Scene& scene) {
  for (int i = 0; i < 100; ++i) {
    const UniqueFd& scraper = scene.keep(connect_to_server("127.0.0.1", scene.agent().port()));
    ASSERT_TRUE(scraper.valid());
    const std::string request =
        i % 2 == 0 ? "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" : "GET /met";
    ASSERT_GT(::send(scraper.get(), request.data(), request.size(), MSG_NOSIGNAL), 0);
  }
  LiveTarget& target = scene.add_watched("victim", kLoad);
  scene.expect_run(target);
  EXPECT_EQ(scene.agent().metric("mapscope_resizes_total"), target.truth().growths.size());
}

// 2,000 of them, of which every tenth has a map and is hardly there long enough to be looked at.
void bomb(Scene& scene) {
  LiveTarget& target = scene.add_watched("victim", {"--inserts", "200000"});
  std::filesystem::copy_file(target_path(), scene.path("short"));
  const size_t links = link_count(scene.agent());
  const std::string script =
      "i=0; while [ $i -lt 200 ]; do for j in 1 2 3 4 5 6 7 8 9; do /bin/true & done; "
      "$0 --inserts 100 & wait; i=$((i+1)); done";
  ChildProcess shell({"sh", "-c", script, scene.path("short")});
  target.begin();
  ASSERT_EQ(shell.wait(), 0) << shell.err().text();
  ASSERT_EQ(target.process().wait(), 0);
  scene.expect_truth(target);
  const std::vector<std::string> of_short = {"process=\"short\"", "state=\"attached\""};
  EXPECT_TRUE(poll_until([&] { return scene.agent().metric("mapscope_targets", of_short) == 0; }));
  EXPECT_TRUE(poll_until([&] { return link_count(scene.agent()) <= links; }));
  EXPECT_EQ(scene.lost("ring_full_process"), 0U);
  EXPECT_EQ(scene.lost("ring_full_resize"), 0U);
}

const Fault kAgent[] = {
    {"KilledAndRestarted", "the agent is killed -9 and started again",
     "nothing is left in the kernel, the target goes on, nothing is told twice", "",
     kill_and_restart},
    {"ProcHidden",
     "/proc is mounted with hidepid",
     "nothing changes",
     "",
     run_one,
     {},
     hide_processes},
    {"ProcLost",
     "/proc can no longer be read",
     "targets stay watched; what came meanwhile is found when it can be read again",
     "processes that come are not found",
     lose_proc,
     {},
     take_mount_namespace},
    {"ProcMissing", "the agent is started where /proc is missing",
     "it ends with status 1 and one line", "", start_without_proc},
    {"DescriptorsShort", "too few file descriptors are left for probes",
     "one target is refused and untouched, others and later ones are watched",
     "Too many open files", exhaust_descriptors},
    {"DescriptorsExhausted", "no file descriptor is left",
     "targets stay watched; what came meanwhile is found when there are some",
     "processes that come are not found", exhaust_all_descriptors},
    {"DiskFull", "the disk that takes the events is full",
     "lost lines are counted, metrics go on, whole lines come when there is room", "", fill_disk},
    {"ScrapersHang", "a hundred scrapers ask and do not read, or do not finish asking",
     "another is answered, and the agent ends in spite of them", "", hang_scrapers},
    {"ForkBomb",
     "2,000 short-lived processes come under --all",
     "a target's truth is told whole, nothing of them is kept, no record is lost",
     "",
     bomb,
     {"--all"},
     {},
     true},
};

INSTANTIATE_TEST_SUITE_P(Agent, Faults, testing::ValuesIn(kAgent), fault_name);

}  // namespace
}  // namespace mapscope::test
