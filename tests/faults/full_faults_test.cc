// SPDX-License-Identifier: Apache-2.0
// What runs full between the kernel and the agent: the ring, and each of the maps that can. The
// limits are small so that it takes little. That of map types is met by Go programs only, in
// tests/go_live/inserts_test.cc.
#include "tests/faults/fault.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

// Every growth is either seen or counted as lost.
void expect_accounted(Scene& scene, LiveTarget& target, const std::string& reason) {
  ASSERT_EQ(target.run(), 0) << target.process().err().text();
  ASSERT_TRUE(scene.await_gone(target.pid()));
  const size_t seen = scene.agent().growths(target.pid()).size();
  EXPECT_GT(seen, 0U);
  EXPECT_GT(scene.lost(reason), 0U);
  EXPECT_EQ(seen + scene.lost(reason), target.truth().growths.size());
}

void fill_ring(Scene& scene) {
  LiveTarget& target =
      scene.add_watched("victim", {"--workload", "tiny", "--inserts", "1000000", "--threads", "2"});
  expect_accounted(scene, target, "ring_full_resize");
}

void fill_open_resizes(Scene& scene) {
  LiveTarget& target = scene.add_watched("victim", {"--workload", "tiny", "--inserts", "2000",
                                                    "--threads", "8", "--sleep-in-grow", "1000"});
  expect_accounted(scene, target, "open_table_full");
}

void fill_targets(Scene& scene) {
  LiveTarget& target = scene.add("victim", {"--inserts", "20000"});
  ASSERT_TRUE(scene.await_said("more than 1 targets at once"));
  // Metrics show it at the next tick, and no longer when it has ended.
  EXPECT_TRUE(poll_until([&] {
    return scene.agent().metric("mapscope_unsupported_targets", {"reason=\"too_many\""}) == 1;
  }));
  EXPECT_EQ(target.run(), 0);
  EXPECT_EQ(scene.agent().metric("mapscope_attach_errors_total", {"reason=\"too_many\""}), 1U);
  EXPECT_TRUE(scene.agent().growths(target.pid()).empty());
}

void fill_probes(Scene& scene) {
  LiveTarget& target = scene.add("victim", {"--inserts", "20000"});
  ASSERT_TRUE(scene.await_said("probe descriptors are in use"));
  EXPECT_EQ(target.run(), 0);
  EXPECT_EQ(scene.agent().metric("mapscope_attach_errors_total"), 1U);
  EXPECT_TRUE(scene.agent().growths(target.pid()).empty());
}

void fill_threads(Scene& scene) {
  LiveTarget& target = scene.add_watched("victim", {"--workload", "tiny", "--inserts", "4000",
                                                    "--threads", "4", "--sleep-in-grow", "1000"});
  ASSERT_EQ(target.run(), 0);
  ASSERT_TRUE(scene.await_gone(target.pid()));
  EXPECT_GT(scene.lost("thread_table_full"), 0U);
  size_t seen = 0;
  size_t unknown = 0;
  for (const nlohmann::json& event : scene.agent().events("resize")) {
    if (event.at("pid") != target.pid()) continue;
    ++seen;
    unknown += event.contains("running_ns") ? 0U : 1U;
  }
  EXPECT_EQ(seen, target.truth().growths.size());
  EXPECT_GT(unknown, 0U);
  EXPECT_LT(unknown, seen);
}

// Nobody is said to have waited who did not.
void fill_waits(Scene& scene) {
  LiveTarget& target =
      scene.add_watched("victim", {"--strategy", "sharded", "--threads", "8", "--inserts", "40000",
                                   "--growth", "stop_the_world", "--sleep-in-grow", "1000"});
  ASSERT_EQ(target.run(), 0);
  ASSERT_TRUE(scene.await_gone(target.pid()));
  EXPECT_GT(scene.lost("wait_table_full"), 0U);
  const std::vector<Growth> seen = scene.agent().growths(target.pid());
  EXPECT_EQ(seen.size(), target.truth().growths.size());
  for (const Growth& growth : seen) {
    EXPECT_LE(growth.blocked_threads.value_or(0), 7U) << growth;
    EXPECT_LE(growth.blocked_ns.value_or(0), 8 * growth.wall_ns.value()) << growth;
  }
}

const Fault kFull[] = {
    {"RingFull",
     "resizes come faster than a small ring is emptied",
     "seen + ring_full_resize = truth",
     "the ring between kernel and agent is full",
     fill_ring,
     {"--ring-kib", "4"}},
    {"OpenResizesFull",
     "more resizes are under way than the table holds",
     "seen + open_table_full = truth",
     "more resizes are under way at once",
     fill_open_resizes,
     {"--debug.max-open-resizes", "2"}},
    {"TargetsFull",
     "a second target comes where one has room",
     "it is unsupported{too_many} and untouched",
     "more than 1 targets at once",
     fill_targets,
     {"--debug.max-targets", "1"}},
    {"ProbesFull",
     "a second binary comes where one's probes have room",
     "it is not watched, an attach error, and untouched",
     "probe descriptors are in use",
     fill_probes,
     {"--debug.max-probes", "7"}},
    {"ThreadsFull",
     "more threads resize maps than can be followed",
     "every growth is seen, some without states, thread_table_full counts them",
     "more threads resize maps than can be followed",
     fill_threads,
     {"--debug.max-threads", "1"}},
    {"WaitsFull",
     "more threads sleep on locks than can be followed",
     "every growth is seen, wait_table_full counts, nobody waited who did not",
     "more threads sleep on locks than can be followed",
     fill_waits,
     {"--debug.max-waits", "1"}},
    {"LocksFull",
     "threads sleep on more locks than can be followed",
     "every growth is seen, wait_table_full counts, nobody waited who did not",
     "more threads sleep on locks than can be followed",
     fill_waits,
     {"--debug.max-locks", "1"}},
};

INSTANTIATE_TEST_SUITE_P(Full, Faults, testing::ValuesIn(kFull), fault_name);

}  // namespace
}  // namespace mapscope::test
