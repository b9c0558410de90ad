// SPDX-License-Identifier: Apache-2.0
// Whose an address is that a record names: of two Go files in one process.
#include "agent/runtimes/map_types.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/go_image.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

using test::GoImage;

constexpr uint64_t kFirstBias = 0x7f00'0000'0000;
constexpr uint64_t kSecondBias = 0x7f80'0000'0000;

class MapTypesTest : public ::testing::Test {
 protected:
  MapTypesTest() {
    loaded_->add(first_, kFirstBias);
    loaded_->add(second_, kSecondBias);
  }

  static std::shared_ptr<ProgramTypes> types_of(const GoImage& image) {
    return std::make_shared<ProgramTypes>(test::open_program_of(image.bytes).value().go);
  }

  GoImage swiss_ = test::make_go_image(PclntabFormat::kGo120, "go1.25.12");
  GoImage classic_ = test::make_go_image(PclntabFormat::kGo120, "go1.23.5");
  std::shared_ptr<ProgramTypes> first_ = types_of(swiss_);
  std::shared_ptr<ProgramTypes> second_ = types_of(classic_);
  std::shared_ptr<LoadedPrograms> loaded_ = std::make_shared<LoadedPrograms>();
};

TEST_F(MapTypesTest, TypeOfTheRecordsOwnFileIsFoundWithoutItsProcess) {
  MapTypes types(second_, 0x1000, nullptr);
  EXPECT_EQ(types.version().minor, 23);
  ASSERT_NE(types.find(0x1000 + GoImage::vaddr(classic_.map_type)), nullptr);
  EXPECT_EQ(types.find(kFirstBias + GoImage::vaddr(swiss_.map_type)), nullptr);
}

TEST_F(MapTypesTest, TypeOfAnotherFileOfTheProcessIsThatFiles) {
  MapTypes types(first_, kFirstBias, loaded_);
  EXPECT_EQ(types.version().minor, 25);
  const GoMapType* own = types.find(kFirstBias + GoImage::vaddr(swiss_.map_type));
  const GoMapType* other = types.find(kSecondBias + GoImage::vaddr(classic_.map_type));
  ASSERT_NE(own, nullptr);
  ASSERT_NE(other, nullptr);
  EXPECT_NE(own->group_bytes, other->group_bytes);
  EXPECT_EQ(types.find(0x1234), nullptr);
}

TEST_F(MapTypesTest, FunctionsAndFramesAreThoseOfTheFileAroundTheAddress) {
  const MapTypes types(first_, kFirstBias, loaded_);
  EXPECT_EQ(types.function_at(kSecondBias + GoImage::kMain)->name, "main.main");
  EXPECT_FALSE(types.function_at(0x1234));
  const auto found = loaded_->frames(kSecondBias + GoImage::kMain + 0x50);
  ASSERT_FALSE(found.frames.empty());
  EXPECT_EQ(found.vaddr, GoImage::kMain + 0x50);
  EXPECT_TRUE(loaded_->frames(0x1234).frames.empty());
}

TEST_F(MapTypesTest, FileThatIsFoundElsewhereHasMoved) {
  loaded_->add(second_, 0x5000);
  EXPECT_EQ(loaded_->find_type(kSecondBias + GoImage::vaddr(classic_.map_type)).type, nullptr);
  EXPECT_NE(loaded_->find_type(0x5000 + GoImage::vaddr(classic_.map_type)).type, nullptr);
}

}  // namespace
}  // namespace mapscope
