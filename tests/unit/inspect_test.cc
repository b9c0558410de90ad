// SPDX-License-Identifier: Apache-2.0
#include "agent/inspect.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/doctor.h"
#include "agent/export/text.h"
#include "tests/paths.h"

namespace mapscope {
namespace {

using nlohmann::json;

InspectOptions options(const char* path, const char* kernel = "6.1") {
  InspectOptions out;
  out.path = path;
  out.kernel = kernel;
  return out;
}

std::string text_of(const InspectOptions& wanted) {
  const Result<Inspection> found = inspect(wanted);
  return found ? inspection_text(*found) : found.error().text;
}

json json_of(const InspectOptions& wanted) {
  return json::parse(inspection_json(inspect(wanted).value()));
}

// What a run prints to standard output, and its exit status.
std::pair<int, std::string> run(const InspectOptions& wanted) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = run_inspect(wanted);
  testing::internal::GetCapturedStderr();
  return {status, testing::internal::GetCapturedStdout()};
}

TEST(Inspect, PlanIsPrintedInAHundredColumns) {
  for (const char* path : {MAPSCOPE_FIXTURE_CONTRACT_PIE, MAPSCOPE_FIXTURE_COMPILED_CONTRACT}) {
    for (const char* kernel : {"6.1", "6.18"}) {
      InspectOptions wanted = options(path, kernel);
      wanted.mode = Mode::kInserts;
      std::istringstream lines(text_of(wanted));
      std::string line;
      std::getline(lines, line);  // the path is the caller's
      while (std::getline(lines, line)) EXPECT_LE(character_count(line), 100U) << line;
    }
  }
}

TEST(Inspect, TextBeginsWithAVerdict) {
  const std::string path = MAPSCOPE_FIXTURE_CONTRACT_PIE;
  const std::string text = text_of(options(path.c_str()));
  EXPECT_TRUE(text.starts_with(path + ": can be watched: ")) << text;
  const std::string verdict = text.substr(0, text.find('\n'));
  EXPECT_TRUE(verdict.ends_with("; 4 probes, none of them single-stepped")) << verdict;
}

// Costs are what `agent doctor` finds where they could be measured.
TEST(Inspect, PricesAreTheMeasuredOnes) {
  Inspection found = inspect(options(MAPSCOPE_FIXTURE_CONTRACT_PIE)).value();
  EXPECT_NE(inspection_text(found).find("emulated, about 700 ns"), std::string::npos)
      << inspection_text(found);
  EXPECT_FALSE(json::parse(inspection_json(found)).contains("probe_cost_ns"));
  found.costs = ProbeCosts{432, 543, 7650};
  EXPECT_NE(inspection_text(found).find("emulated, 432 ns"), std::string::npos)
      << inspection_text(found);
  EXPECT_EQ(json::parse(inspection_json(found))["probe_cost_ns"],
            json::parse(R"({"nop": 432, "push": 543, "single_stepped": 7650})"));
}

TEST(Inspect, RowsThatDifferInTheirPlaceOnlyAreOne) {
  Inspection found = inspect(options(MAPSCOPE_FIXTURE_CONTRACT_PIE)).value();
  std::vector<PlannedProbe>& probes = found.plans.front().probes;
  const auto rows = [&] {
    const std::string text = inspection_text(found);
    size_t count = 0;
    for (size_t at = 0; (at = text.find("\n  begin ", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  ASSERT_EQ(rows(), 1U);
  probes.push_back(probes.front());
  probes.back().symbol_offset = 77;
  EXPECT_EQ(rows(), 1U);
  EXPECT_NE(inspection_text(found).find("2 places"), std::string::npos);
  EXPECT_NE(inspection_text(found).find("mapscope_map_grow+77"), std::string::npos);
  probes.back().why_here = "for another reason";
  EXPECT_EQ(rows(), 2U);
}

TEST(Inspect, JsonHasEveryProbe) {
  const json out = json_of(options(MAPSCOPE_FIXTURE_CONTRACT_PIE, "6.18"));
  EXPECT_EQ(out["binary"], MAPSCOPE_FIXTURE_CONTRACT_PIE);
  EXPECT_EQ(out["build_id"].get<std::string>().size(), 40U);
  EXPECT_EQ(out["kernel"], "6.18");
  EXPECT_EQ(out["mode"], "resizes");
  EXPECT_EQ(out["supported"], true);
  EXPECT_FALSE(out.contains("go"));
  ASSERT_EQ(out["rooms"].size(), 1U);
  const json& room = out["rooms"][0];
  EXPECT_EQ(room["runtime"], "cxx_target");
  EXPECT_FALSE(room.contains("version"));
  EXPECT_EQ(room["partial"], false);
  ASSERT_EQ(room["probes"].size(), 4U);
  const json& begin = room["probes"][0];
  EXPECT_EQ(begin["kind"], "begin");
  EXPECT_EQ(begin["symbol"], "mapscope_map_grow");
  EXPECT_EQ(begin["function"], "mapscope_map_grow");
  EXPECT_EQ(begin["site"], "entry");
  EXPECT_EQ(begin["offset"], 0);
  EXPECT_EQ(begin["class"], "emulated");
  EXPECT_EQ(begin["file_offset"].get<std::string>().substr(0, 2), "0x");
  EXPECT_EQ(room["probes"][1]["site"], "exit");
  for (const char* nothing : {"missing", "unseen", "absent"}) EXPECT_TRUE(room[nothing].empty());
}

TEST(Inspect, EveryKernelGetsTheShortNop) {
  for (const char* kernel : {"6.1", "6.12", "6.18", "7.3"}) {
    const json room = json_of(options(MAPSCOPE_FIXTURE_CONTRACT_PIE, kernel))["rooms"][0];
    EXPECT_EQ(room["probes"][0]["offset"], 0) << kernel;
    EXPECT_EQ(room["probes"][0]["class"], "emulated") << kernel;
  }
}

TEST(Inspect, InsertsAreShownWhenAskedFor) {
  InspectOptions wanted = options(MAPSCOPE_FIXTURE_CONTRACT_PIE);
  wanted.mode = Mode::kInserts;
  EXPECT_EQ(json_of(wanted)["rooms"][0]["probes"].back()["kind"], "insert");
}

TEST(Inspect, FunctionsThatTheProgramLacksAreNoLoss) {
  const json room = json_of(options(MAPSCOPE_FIXTURE_COMPILED_CONTRACT))["rooms"][0];
  EXPECT_TRUE(room["missing"].empty());
  EXPECT_EQ(room["absent"], json::array({"mapscope_map_fatal"}));
  EXPECT_NE(text_of(options(MAPSCOPE_FIXTURE_COMPILED_CONTRACT)).find("mapscope_map_fatal"),
            std::string::npos);
}

TEST(Inspect, RecognisedBinaryExitsWith0) {
  const auto [status, out] = run(options(MAPSCOPE_FIXTURE_CONTRACT_PIE));
  EXPECT_EQ(status, 0);
  EXPECT_NE(out.find("mapscope_map_grow"), std::string::npos);
}

TEST(Inspect, OtherBinaryIsAFindingInOneLine) {
  for (const char* path : {MAPSCOPE_FIXTURE_NO_CONTRACT, MAPSCOPE_FIXTURE_CONTRACT_STRIPPED,
                           MAPSCOPE_FIXTURE_HALF_CONTRACT, "/dev/null"}) {
    const auto [status, out] = run(options(path));
    EXPECT_EQ(status, 1) << path;
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << out;
    EXPECT_NE(out.find("looked for"), std::string::npos);
    EXPECT_EQ(out.find(path), out.rfind(path)) << "the path is said twice: " << out;
  }
}

TEST(Inspect, UnsupportedJsonSaysWhatWasLookedFor) {
  const json out = json_of(options(MAPSCOPE_FIXTURE_NO_CONTRACT));
  EXPECT_EQ(out["supported"], false);
  EXPECT_FALSE(out["reason"].get<std::string>().empty());
  EXPECT_FALSE(out.contains("rooms"));
  EXPECT_EQ(out["looked_for"][0]["runtime"], "cxx_target");
  EXPECT_FALSE(out["looked_for"][0]["symbols"].empty());
}

TEST(Inspect, MissingFileExitsWith2) {
  const auto [status, out] = run(options("/nonexistent/binary"));
  EXPECT_EQ(status, 2);
  EXPECT_TRUE(out.empty());
}

TEST(Inspect, WrongKernelExitsWith2) {
  EXPECT_EQ(run(options(MAPSCOPE_FIXTURE_CONTRACT_PIE, "new")).first, 2);
}

TEST(Inspect, FifoIsNotWaitedFor) {
  const std::string path = testing::TempDir() + "mapscope_fifo_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(run(options(path.c_str())).first, 1);
  std::filesystem::remove(path);
}

TEST(Inspect, HostileFileNameStaysInItsLine) {
  const std::string path = testing::TempDir() + "mapscope\n\x1b[31m\xff" + std::to_string(getpid());
  std::filesystem::copy_file(MAPSCOPE_FIXTURE_NO_CONTRACT, path);
  const std::string out = text_of(options(path.c_str()));
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
  EXPECT_EQ(out.find('\x1b'), std::string::npos);
  EXPECT_EQ(json_of(options(path.c_str()))["supported"], false);
  std::filesystem::remove(path);
}

Diagnosis diagnosis(CheckState state) {
  Diagnosis out;
  out.kernel = "6.1.0";
  out.checks = {{"kernel", CheckState::kOk, "6.1.0", ""}, {"btf", state, "not there", "mount it"}};
  return out;
}

TEST(Diagnosis, OnlyAFailureIsNotOk) {
  EXPECT_TRUE(diagnosis(CheckState::kOk).ok());
  EXPECT_TRUE(diagnosis(CheckState::kWarn).ok());
  EXPECT_FALSE(diagnosis(CheckState::kFail).ok());
}

TEST(Diagnosis, TextHasTheRemedy) {
  EXPECT_NE(diagnosis_text(diagnosis(CheckState::kFail)).find("mount it"), std::string::npos);
}

TEST(Diagnosis, JsonIsStable) {
  Diagnosis found = diagnosis(CheckState::kFail);
  EXPECT_FALSE(json::parse(diagnosis_json(found)).contains("probe_cost_ns"));
  found.costs = ProbeCosts{690.4, 810, 10400};
  const json out = json::parse(diagnosis_json(found));
  EXPECT_EQ(out["ok"], false);
  EXPECT_EQ(out["kernel"], "6.1.0");
  EXPECT_EQ(out["checks"][1]["name"], "btf");
  EXPECT_EQ(out["checks"][1]["state"], "fail");
  EXPECT_EQ(out["checks"][1]["remedy"], "mount it");
  EXPECT_FALSE(out["checks"][0].contains("remedy"));
  EXPECT_EQ(out["probe_cost_ns"]["nop"], 690);
  EXPECT_FALSE(out["probe_cost_ns"].contains("nop5"));
  EXPECT_EQ(out["probe_cost_ns"]["single_stepped"], 10400);
}

}  // namespace
}  // namespace mapscope
