// SPDX-License-Identifier: Apache-2.0
#include "agent/export/resize_row.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "agent/export/columns.h"
#include "tests/support/sample_resize.h"
#include "tests/support/screen.h"

namespace mapscope {
namespace {

// 80 columns have room for one place.
TEST(ResizeRow, OwnLineStandsBehindTheSite) {
  for (const auto& [width, end] :
       std::map<size_t, std::string>{{80, "store.go:42\n"},
                                     {100, "store.go:42 ← serve.go:7\n"},
                                     {kUnlimited, "store.go:42 ← main.serve serve.go:7\n"}}) {
    Screen screen({width});
    Sample sample;
    sample.lead_from_own_module();
    screen.view().row(sample.resize);
    EXPECT_TRUE(screen.text().ends_with(end)) << screen.text();
  }
}

}  // namespace
}  // namespace mapscope
