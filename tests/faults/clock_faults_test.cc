// SPDX-License-Identifier: Apache-2.0
// Clocks that are not what one thinks: all times are those of the kernel's monotonic clock.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <string>

#include "tests/faults/fault.h"

namespace mapscope::test {
namespace {

constexpr time_t kDay = 86'400;

void jump(time_t seconds) {
  timespec now{};
  ASSERT_EQ(::clock_gettime(CLOCK_REALTIME, &now), 0);
  now.tv_sec += seconds;
  ASSERT_EQ(::clock_settime(CLOCK_REALTIME, &now), 0);
}

// Only in a virtual machine, whose clock is nobody else's.
void set_clock(Scene& scene) {
  if (!in_slow_machine()) FAIL() << "would set this machine's clock: run it by sudo tests/run --vm";
  LiveTarget& target = scene.add_watched("victim", {"--seconds", "3600", "--keys", "20000"});
  target.begin();
  for (const time_t days : {1, -2, 1}) {
    const size_t before = scene.agent().growths(target.pid()).size();
    jump(days * kDay);
    ASSERT_TRUE(
        poll_until([&] { return scene.agent().growths(target.pid()).size() > before + 5; }));
  }
  target.process().signal(SIGINT);
  ASSERT_EQ(target.process().wait(), 0);
  scene.expect_truth(target);
  const ClockError error =
      median_error(target.truth().growths, scene.agent().growths(target.pid()));
  EXPECT_LT(error.begin_ns, 1'000'000'000U);
  EXPECT_LT(error.wall_ns, 1'000'000'000U);
}

void enter_time_namespace() {
  if (::unshare(CLONE_NEWTIME) != 0) ::_exit(1);
  std::ofstream offsets("/proc/self/timens_offsets");
  offsets << "monotonic " << kDay << " 0\nboottime " << kDay << " 0\n";
  offsets.close();
  const int space = ::open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
  if (!offsets || ::setns(space, CLONE_NEWTIME) != 0) ::_exit(1);
}

// The truth is told by the target's clock, which is a day ahead, the events by the machine's.
void shift_monotonic_clock(Scene& scene) {
  LiveTarget& target =
      scene.add_watched("victim", {"--inserts", "100000"}, {.before_exec = enter_time_namespace});
  scene.expect_run(target);
  const std::vector<Growth> truth = target.truth().growths;
  const std::vector<Growth> seen = scene.agent().growths(target.pid());
  ASSERT_EQ(truth.size(), seen.size());
  for (size_t i = 0; i < truth.size(); ++i) {
    const uint64_t ahead_ns = truth[i].begin_ns - seen[i].begin_ns;
    EXPECT_EQ((ahead_ns + 500'000'000) / 1'000'000'000, static_cast<uint64_t>(kDay)) << seen[i];
  }
}

const Fault kClocks[] = {
    {"TimeNamespace", "a target's monotonic clock is a day ahead of the machine's",
     "it is watched as any other, and told by the machine's", "", shift_monotonic_clock},
};
INSTANTIATE_TEST_SUITE_P(Clock, Faults, testing::ValuesIn(kClocks), fault_name);

const Fault kOwnMachine[] = {
    {"WallClockJumps", "the wall clock jumps a day ahead, two back and ahead again",
     "the truth is told, times and all", "", set_clock},
};
INSTANTIATE_TEST_SUITE_P(OwnMachine, Faults, testing::ValuesIn(kOwnMachine), fault_name);

}  // namespace
}  // namespace mapscope::test
