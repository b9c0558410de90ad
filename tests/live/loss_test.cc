// SPDX-License-Identifier: Apache-2.0
// At 100,000 growths a second none is lost; what is when something runs full is in tests/faults.
//
// A second target that never begins keeps the agent alive, so that its metrics can be read after
// the first one's end.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

// Holds what the agent does not get to for a second, on a machine that does something else.
constexpr const char* kWideRingKib = "65536";

std::vector<std::string> watching(const LiveTarget& target, const LiveTarget& idle,
                                  std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--pid", target.pid_text(), "--pid", idle.pid_text()});
  return arguments;
}

// The end of a target comes behind its last growth in the ring, so then all of it is counted.
bool await_only_idle(const LiveAgent& agent) {
  return poll_until([&] { return agent.metric("mapscope_targets", {"state=\"attached\""}) == 1; });
}

uint64_t lost_by(const LiveAgent& agent, const std::string& reason) {
  return agent.metric("mapscope_records_lost_total", {"reason=\"" + reason + "\""});
}

TEST(Loss, NothingIsLostAtHundredThousandResizesPerSecond) {
  LiveTarget target({"--workload", "tiny", "--rate", "100000", "--seconds", "3"});
  LiveTarget idle({"--inserts", "1"});
  LiveAgent agent(watching(target, idle, {"--events", "none", "--ring-kib", kWideRingKib}));
  ASSERT_EQ(target.run(), 0);
  ASSERT_TRUE(await_only_idle(agent));

  const Truth truth = target.truth();
  uint64_t entries = 0;
  for (const Growth& growth : truth.growths) entries += growth.entries;
  RecordProperty("resizes", static_cast<int>(truth.growths.size()));
  EXPECT_EQ(truth.unfinished, 0U);
  EXPECT_GT(truth.growths.size(), 1000U);
  EXPECT_EQ(agent.metric("mapscope_resizes_total"), truth.growths.size());
  EXPECT_EQ(agent.metric("mapscope_resize_duration_seconds_count"), truth.growths.size());
  EXPECT_EQ(agent.metric("mapscope_resize_entries_sum"), entries);
  for (const char* reason :
       {"ring_full_resize", "open_table_full", "superseded", "queue_full_resize", "end_unmatched",
        "field_unreadable", "record_refused", "record_malformed"}) {
    EXPECT_EQ(lost_by(agent, reason), 0U) << reason;
  }
}

TEST(Loss, TinyMapsOfManyThreadsEqualTheTruth) {
  LiveTarget target({"--workload", "tiny", "--inserts", load_size(200'000), "--threads", "4"});
  LiveAgent agent(target, {"--ring-kib", kWideRingKib});
  ASSERT_EQ(target.run(), 0);
  ASSERT_EQ(agent.wait(), 0) << agent.process().err().text();
  const Truth truth = target.truth();
  std::vector<Growth> seen = agent.growths();
  // Two threads may begin at the same nanosecond; within a thread the order is certain.
  ASSERT_EQ(seen.size(), truth.growths.size());
  for (const uint64_t tid : tids_of(truth.growths)) {
    EXPECT_EQ(difference(of_thread(truth.growths, tid), of_thread(seen, tid)), "");
  }
}

void expect_inserts_counted(const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {"--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  LiveTarget target(all);
  LiveTarget idle({"--inserts", "1"});
  LiveAgent agent(watching(target, idle, {"--mode", "inserts"}));
  ASSERT_EQ(target.run(), 0);
  ASSERT_TRUE(await_only_idle(agent));
  EXPECT_GT(target.result("inserts"), 0U);
  EXPECT_EQ(agent.metric("mapscope_inserts_total"), target.result("inserts"));
  EXPECT_EQ(agent.metric("mapscope_resizes_total"), target.truth().growths.size());
}

TEST(Inserts, OfOneThreadAreCountedExactly) {
  expect_inserts_counted({"--inserts", load_size(300'000)});
}

TEST(Inserts, OfManyThreadsAreCountedExactly) {
  expect_inserts_counted(
      {"--inserts", load_size(300'000), "--strategy", "sharded", "--threads", "8"});
}

TEST(Inserts, AreNotCountedUnlessAskedFor) {
  LiveTarget target({"--inserts", "1"});
  LiveAgent agent(target);
  EXPECT_EQ(agent.get("/metrics").body.find("mapscope_inserts_total{"), std::string::npos);
}

}  // namespace
}  // namespace mapscope::test
