// SPDX-License-Identifier: Apache-2.0
// `agent inspect` on programs that nobody here wrote: every probe is explained, and what is not
// probed is named with a reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/esbuild.h"
#include "tests/support/live_agent.h"
#include "tests/support/pair_name.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 2> kClasses = {"emulated", "single_stepped"};

std::string prometheus_path() {
  ChildProcess shell({"sh", "-c", "command -v prometheus"});
  shell.wait();
  const std::string said = shell.out().text();
  return said.substr(0, said.find('\n'));
}

std::vector<Esbuild> real_programs() {
  std::vector<Esbuild> programs = esbuilds();
  programs.push_back({"prometheus", prometheus_path()});
  return programs;
}

void expect_explained(const json& probe) {
  for (const char* words : {"kind", "symbol", "function", "instruction", "why", "why_here"}) {
    EXPECT_FALSE(probe.at(words).get<std::string>().empty()) << probe;
  }
  for (const char* address : {"vaddr", "file_offset"}) {
    EXPECT_GT(std::stoull(probe.at(address).get<std::string>(), nullptr, 16), 0U) << probe;
  }
  const std::string price = probe.at("class");
  EXPECT_NE(std::find(kClasses.begin(), kClasses.end(), price), kClasses.end()) << probe;
}

void expect_room_explained(const json& room) {
  for (const json& probe : room.at("probes")) expect_explained(probe);
  for (const json& missing : room.at("missing")) EXPECT_NE(missing.at("reason"), "") << missing;
  for (const json& name : room.at("absent")) EXPECT_NE(name, "");
  EXPECT_EQ(room.at("partial"), false) << room.at("unseen");
  EXPECT_TRUE(room.at("unseen").empty());
}

size_t probes_of_kind(const json& room, const std::string& kind) {
  const json& probes = room.at("probes");
  return static_cast<size_t>(std::count_if(
      probes.begin(), probes.end(), [&](const json& probe) { return probe.at("kind") == kind; }));
}

using ProgramAndMode = std::tuple<Esbuild, const char*>;
class RealProgram : public testing::TestWithParam<ProgramAndMode> {};

TEST_P(RealProgram, HasEveryProbeExplained) {
  const auto& [program, mode] = GetParam();
  ASSERT_FALSE(program.program.empty()) << kNoEsbuild << "; prometheus(1) is in PATH";
  ChildProcess inspect({agent_path(), "inspect", "--json", "--mode", mode, program.program});
  ASSERT_EQ(inspect.wait(), 0) << inspect.err().text();
  const json found = json::parse(inspect.out().text());
  EXPECT_EQ(found.at("supported"), true);
  EXPECT_TRUE(found.at("go").at("version").get<std::string>().starts_with("go1."));
  EXPECT_TRUE(found.at("go").contains("goroutines"));
  ASSERT_EQ(found.at("rooms").size(), 2U);
  for (const json& room : found.at("rooms")) expect_room_explained(room);
  const json& maps = found.at("rooms").front();
  for (const char* kind : {"begin", "end", "fatal"}) EXPECT_GE(probes_of_kind(maps, kind), 1U);
  const std::string mode_name = mode;
  EXPECT_EQ(probes_of_kind(maps, "insert") >= 3, mode_name == "inserts");
  EXPECT_EQ(probes_of_kind(maps, "write") >= 3, mode_name == "races");
  EXPECT_GE(probes_of_kind(found.at("rooms").back(), "point"), 1U);
}

INSTANTIATE_TEST_SUITE_P(Live, RealProgram,
                         testing::Combine(testing::ValuesIn(real_programs()),
                                          testing::Values("resizes", "inserts", "races")),
                         PairName());

}  // namespace
}  // namespace mapscope::test
