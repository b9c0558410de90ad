// SPDX-License-Identifier: Apache-2.0
// Where copies of probed functions are looked for: in user code only when a profile may have put
// them there, which absent settings do not rule out.
#include "agent/plan/inlined.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "tests/support/go_image.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

using test::Bytes;

constexpr std::string_view kMissLocked = "sync.(*Map).missLocked";
constexpr std::string_view kHosts[] = {"sync.(*Map).", ""};
constexpr std::string_view kSymbols[] = {kMissLocked};

// It was inlined into main.main.
Bytes program_with_copy(const char* version) {
  test::GoNames names;
  names.inner = kMissLocked;
  return test::make_go_image(PclntabFormat::kGo120, version, names).bytes;
}

Bytes replaced(Bytes bytes, std::string_view from, std::string_view to) {
  const auto same = [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); };
  for (auto at = bytes.begin();;) {
    at = std::search(at, bytes.end(), from.begin(), from.end(), same);
    if (at == bytes.end()) return bytes;
    at = std::copy(to.begin(), to.end(), at);
  }
}

size_t copies_in(const Bytes& bytes) {
  const auto program = test::open_program_of(bytes);
  EXPECT_TRUE(program) << program.error().text;
  return program ? InlinedCopies(*program, kHosts, kSymbols).of(kMissLocked).size() : 0;
}

TEST(InlinedCopies, AreLookedForInUserCodeOfAProgramWithAProfile) {
  EXPECT_EQ(copies_in(program_with_copy("go1.21.13")), 1U);
}

TEST(InlinedCopies, AreNotWhenTheSettingsNameNoProfile) {
  const Bytes bytes = replaced(program_with_copy("go1.21.13"), "build\t-pgo", "build\t-abc");
  EXPECT_EQ(copies_in(bytes), 0U);
}

TEST(InlinedCopies, AreWhenThereAreNoSettings) {
  const Bytes bytes = replaced(program_with_copy("go1.21.13"), "build\t", "other\t");
  EXPECT_EQ(copies_in(bytes), 1U);
}

}  // namespace
}  // namespace mapscope
