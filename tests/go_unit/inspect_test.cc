// SPDX-License-Identifier: Apache-2.0
// What `agent inspect` says of real Go programs.
#include "agent/inspect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/export/text.h"
#include "tests/go_unit/go_binary.h"

namespace mapscope::test {
namespace {

using nlohmann::json;

Inspection inspection_of(const GoBinary& binary, Mode mode = Mode::kRaces) {
  InspectOptions options;
  options.path = binary.path;
  options.kernel = "6.18";
  options.mode = mode;
  return inspect(options).value();
}

TEST(GoInspect, TextKeepsToAHundredColumns) {
  for (const GoBinary& binary : go_binaries("", "grow")) {
    std::istringstream lines(inspection_text(inspection_of(binary)));
    std::string line;
    std::getline(lines, line);  // the path is the caller's
    while (std::getline(lines, line)) EXPECT_LE(character_count(line), 100U) << line;
  }
}

TEST(GoInspect, VersionProfileAndGoroutinesAreTold) {
  for (const GoBinary& binary : go_binaries("", "grow")) {
    SCOPED_TRACE(binary.path);
    const json out = json::parse(inspection_json(inspection_of(binary)));
    EXPECT_EQ(out["supported"], true);
    EXPECT_TRUE(out["go"]["version"].get<std::string>().starts_with("go" + binary.version));
    EXPECT_EQ(out["go"].contains("profile"), binary.has_profile());
    EXPECT_EQ(out["go"]["goroutines"]["g"], "r14");
    const std::string text = inspection_text(inspection_of(binary));
    EXPECT_NE(text.find("go" + binary.version), std::string::npos);
    EXPECT_NE(text.find("Goroutines: g in r14"), std::string::npos);
  }
}

TEST(GoInspect, EveryRoomOfAProgramIsShown) {
  for (const GoBinary& binary : go_binaries("plain", "syncmap")) {
    const json out = json::parse(inspection_json(inspection_of(binary)));
    ASSERT_EQ(out["rooms"].size(), 2U) << binary.path;
    EXPECT_EQ(out["rooms"][1]["runtime"], "sync_map");
    for (const json& room : out["rooms"]) EXPECT_EQ(room["partial"], false) << binary.path;
  }
}

TEST(GoInspect, ProgramsWithOtherMapsAreRefusedByName) {
  for (const auto& [program, reason] :
       {std::pair("gccgo", "built by gccgo"), std::pair("packed", "packed by UPX")}) {
    GoBinary binary;
    binary.path = go_fixture_root() + "/other/" + program;
    const json out = json::parse(inspection_json(inspection_of(binary)));
    EXPECT_EQ(out["supported"], false);
    EXPECT_NE(out["reason"].get<std::string>().find(reason), std::string::npos) << out;
  }
}

TEST(GoInspect, UnseenCopyMakesAPlanPartial) {
  Inspection found = inspection_of(go_binaries("plain", "grow").front());
  ASSERT_FALSE(found.plans.empty());
  const ProbeSpec* begin = found.plans.front().probes.front().spec;
  found.plans.front().unseen.push_back({begin, "runtime.mapassign_faststr", "no reason"});
  const std::string text = inspection_text(found);
  EXPECT_NE(text.find("PARTIAL: "), std::string::npos);
  EXPECT_NE(text.find("runtime.mapassign_faststr"), std::string::npos);
  const json room = json::parse(inspection_json(found))["rooms"][0];
  EXPECT_EQ(room["partial"], true);
  EXPECT_EQ(room["unseen"][0]["function"], "runtime.mapassign_faststr");
}

}  // namespace
}  // namespace mapscope::test
