// SPDX-License-Identifier: Apache-2.0
// Several programs in one process: each is told as itself.
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/export/event_json.h"
#include "agent/export/metric_table.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

std::shared_ptr<const ProgramInfo> old_library() {
  return std::make_shared<const ProgramInfo>(
      ProgramInfo{"/usr/lib/old.so", "beef", "go1.23.5", "go", &kSampleRuntime});
}

TEST(TargetPrograms, HaveASeriesEach) {
  MetricTable table;
  Sample sample;
  sample.target.programs.push_back(old_library());
  table.set_targets({sample.target});
  const std::string text = table.text();
  for (const char* labels : {R"(build_id="c0ffee",language="",version="go1.27.4")",
                             R"(build_id="beef",language="go",version="go1.23.5")"})
    EXPECT_NE(text.find(labels), std::string::npos) << text;
}

TEST(TargetPrograms, AreListedWhereThereAreSeveral) {
  Sample sample;
  std::string one;
  append_target_json(one, sample.target, "t");
  EXPECT_FALSE(nlohmann::json::parse(one).contains("programs"));
  sample.target.programs.push_back(old_library());
  std::string two;
  append_target_json(two, sample.target, "t");
  EXPECT_EQ(nlohmann::json::parse(two).at("programs").at(1),
            nlohmann::json::parse(R"({"path": "/usr/lib/old.so", "build_id": "beef",
                                      "runtime": "go_swiss", "version": "go1.23.5"})"));
}

TEST(TargetPrograms, RecordHasTheVersionOfItsOwn) {
  Sample sample;
  sample.resize.program = old_library();
  std::string line;
  append_resize_json(line, sample.resize, "t");
  EXPECT_EQ(nlohmann::json::parse(line).at("version"), "go1.23.5");
}

}  // namespace
}  // namespace mapscope
