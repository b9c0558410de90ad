// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/relocations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "agent/binary/go_program.h"
#include "tests/support/go_lookups.h"
#include "tests/support/relocated_image.h"

namespace mapscope {
namespace {

using test::Bytes;
using test::GoImage;
using test::make_go_image;

constexpr uint64_t kHuge = 1ULL << 60;

class Relocations : public testing::TestWithParam<std::pair<PclntabFormat, const char*>> {
 protected:
  GoImage image_ = make_go_image(GetParam().first, GetParam().second);
};

INSTANTIATE_TEST_SUITE_P(All, Relocations, testing::ValuesIn(test::kGoFormats),
                         [](const auto& test) {
                           std::string name(test.param.second);
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST_P(Relocations, RelocatedWordsAreReadAsTheLoaderWritesThem) {
  const test::RelocatedImage relocated = test::relocate(image_);
  EXPECT_GT(relocated.entries, 5U);
  const auto program = test::open_go_of(relocated.bytes);
  ASSERT_TRUE(program) << program.error().text;
  ASSERT_TRUE(*program);
  EXPECT_EQ((*program)->build().text, GetParam().second);
  const auto frames = (*program)->frames(GoImage::kMain + 0x18);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames.front().function, "main.inner");
  const auto map = (*program)->map_type(GoImage::vaddr(image_.map_type));
  ASSERT_TRUE(map);
  EXPECT_EQ(map->key_bytes, 16U);
  // Without the table the words are 0.
  Bytes bytes = relocated.bytes;
  bytes[relocated.dynamic_segment] = 0;
  const auto unrelocated = test::open_go_of(bytes);
  EXPECT_TRUE(!unrelocated || !*unrelocated ||
              !(*unrelocated)->map_type(GoImage::vaddr(image_.map_type)));
}

TEST_P(Relocations, HostileRelocationsAreBounded) {
  const test::RelocatedImage image = test::relocate(image_);
  const uint64_t words[] = {0,
                            1,
                            7,
                            16,
                            24,
                            1ULL << 32,
                            kHuge,
                            UINT64_MAX - 7,
                            UINT64_MAX,
                            GoImage::kBase,
                            GoImage::vaddr(image.bytes.size()),
                            GoImage::vaddr(image.bytes.size() - 4)};
  // The three values of the dynamic table, and the members of the first entries.
  const size_t places[] = {
      image.dynamic + 8,         image.dynamic + 24, image.dynamic + 40, image.table,
      image.table + 8,           image.table + 16,   image.table + 24,   image.dynamic_segment + 16,
      image.dynamic_segment + 32};
  for (const size_t place : places) {
    for (const uint64_t word : words) {
      Bytes bytes = image.bytes;
      std::memcpy(bytes.data() + place, &word, sizeof(word));
      test::ask_everything(bytes);
    }
  }
}

}  // namespace
}  // namespace mapscope
