// SPDX-License-Identifier: Apache-2.0
// Probes come and go over and over in a program that collects garbage, grows its stacks and
// checks its own maps; nothing of it may show.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <tuple>

#include "agent/attach/attachment.h"
#include "agent/attach/programs.h"
#include "agent/base/log.h"
#include "agent/model/target_table.h"
#include "agent/plan/probe_plan.h"
#include "agent/symbolize/symbolizer.h"
#include "agent/watcher.h"
#include "tests/support/go_fixture.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

// MAPSCOPE_CYCLES asks for more.
int cycles() {
  const char* wanted = std::getenv("MAPSCOPE_CYCLES");
  return wanted == nullptr ? 50 : std::atoi(wanted);
}

using FixtureAndMode = std::tuple<GoFixture, Mode>;
class GoCycles : public testing::TestWithParam<FixtureAndMode> {};

TEST_P(GoCycles, LeaveTheProgramUnharmed) {
  const auto& [fixture, mode] = GetParam();
  ASSERT_FALSE(fixture.version.empty()) << kNoGoFixtures;
  spdlog::set_level(spdlog::level::warn);
  WaitingProgram target({fixture.program("service"), "--wait", "--seconds", "3600"});
  const auto kernel = running_kernel();
  ASSERT_TRUE(kernel);
  const AttachMethod method =
      kernel->has_uprobe_multi() ? AttachMethod::kMulti : AttachMethod::kPerf;
  auto programs = Programs::load(Limits{}, method, mode);
  ASSERT_TRUE(programs) << programs.error().text;
  auto symbolizer = Symbolizer::create();
  ASSERT_TRUE(symbolizer);
  DescriptorTable descriptors(Limits{}.probes);
  TargetTable targets;
  Watcher watcher(*programs, descriptors, targets, *symbolizer, *kernel, {.mode = mode});
  target.begin();
  const int count = cycles();
  for (int cycle = 0; cycle < count; ++cycle) {
    const auto watched = watcher.watch(target.pid());
    ASSERT_TRUE(watched) << "cycle " << cycle << ": " << watched.error().text << "\n"
                         << target.process().err().text();
    watcher.forget((*watched)->id);
    ASSERT_TRUE(target.process().running()) << target.process().err().text();
  }
  target.process().signal(SIGINT);
  EXPECT_EQ(target.process().wait(), 0) << target.process().err().text();
  const std::string said = target.process().out().text();
  EXPECT_NE(said.find("\nok "), std::string::npos) << said;
  EXPECT_EQ(target.process().err().text(), "");
}

std::string name_of(Mode mode) {
  if (mode == Mode::kInserts) return "inserts";
  return mode == Mode::kRaces ? "races" : "resizes";
}

INSTANTIATE_TEST_SUITE_P(Live, GoCycles,
                         testing::Combine(testing::ValuesIn(oldest_and_newest()),
                                          testing::Values(Mode::kResizes, Mode::kInserts,
                                                          Mode::kRaces)),
                         [](const auto& test) {
                           return std::get<0>(test.param).test_name() + "_" +
                                  name_of(std::get<1>(test.param));
                         });

}  // namespace
}  // namespace mapscope::test
