// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/image_bytes.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "tests/support/go_image.h"

namespace mapscope {
namespace {

using test::GoImage;

// A file of two segments, the first filled up to several blocks with a pattern.
class ImageBytesTest : public testing::Test {
 protected:
  static constexpr size_t kBytes = 3 * ImageBytes::kBlockBytes + 100;

  void SetUp() override {
    const size_t first = image_.bytes.size();
    image_.bytes.resize(kBytes);
    for (size_t i = first; i < kBytes; ++i) image_.bytes[i] = pattern(i);
    const size_t size_at = 32;  // p_filesz
    image_.put(image_.segments + size_at, uint64_t{kBytes});
    image_.put(image_.segments + 56 + size_at, uint64_t{0});
  }
  static uint8_t pattern(size_t offset) { return static_cast<uint8_t>(1 + offset % 251); }

  ImageBytes open() {
    const auto elf = test::open_image_of(image_.bytes);
    if (!elf) std::abort();
    auto bytes = ImageBytes::open(*elf);
    if (!bytes) std::abort();
    return std::move(*bytes);
  }

  GoImage image_ = test::make_go_image(PclntabFormat::kGo120, "go1.24.4");
};

TEST_F(ImageBytesTest, ReadGoesOnFromBlockToBlock) {
  const ImageBytes bytes = open();
  std::vector<std::byte> out(2 * ImageBytes::kBlockBytes + 50);
  const size_t start = ImageBytes::kBlockBytes - 20;
  ASSERT_EQ(bytes.read(GoImage::vaddr(start), out), out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    ASSERT_EQ(static_cast<uint8_t>(out[i]), pattern(start + i)) << i;
  }
}

// One word over the edge of two blocks, one that is in the file already, one of another kind.
TEST_F(ImageBytesTest, RelocationsAreAppliedToEveryBlock) {
  constexpr uint64_t kValue = 0x1122334455667788;
  constexpr size_t kEdge = ImageBytes::kBlockBytes - 3;
  constexpr size_t kDynamic = 2 * ImageBytes::kBlockBytes;
  constexpr size_t kTable = kDynamic + 4 * sizeof(Elf64_Dyn);
  uint64_t known = 0;
  std::memcpy(&known, image_.bytes.data() + 0x3000, sizeof(known));
  const Elf64_Rela table[] = {
      {GoImage::vaddr(kEdge), R_X86_64_RELATIVE, static_cast<int64_t>(kValue)},
      {GoImage::vaddr(0x3000), R_X86_64_RELATIVE, static_cast<int64_t>(known)},
      {GoImage::vaddr(0x3100), R_X86_64_64, 5}};
  image_.put(kDynamic, Elf64_Dyn{DT_RELA, {GoImage::vaddr(kTable)}});
  image_.put(kDynamic + 16, Elf64_Dyn{DT_RELASZ, {sizeof(table)}});
  image_.put(kDynamic + 32, Elf64_Dyn{DT_RELAENT, {sizeof(Elf64_Rela)}});
  image_.put(kDynamic + 48, Elf64_Dyn{DT_NULL, {0}});
  image_.put_bytes(kTable, table, sizeof(table));
  image_.put(image_.segments + 56, uint32_t{PT_DYNAMIC});
  image_.put(image_.segments + 56 + 16, GoImage::vaddr(kDynamic));
  image_.put(image_.segments + 56 + 32, uint64_t{4 * sizeof(Elf64_Dyn)});
  const auto elf = test::open_image_of(image_.bytes);
  ASSERT_TRUE(elf);
  ImageBytes bytes = open();
  EXPECT_NE(bytes.load<uint64_t>(GoImage::vaddr(kEdge)), kValue);
  EXPECT_TRUE(bytes.relocate(*elf));
  EXPECT_EQ(bytes.load<uint64_t>(GoImage::vaddr(kEdge)), kValue);
  EXPECT_EQ(bytes.load<uint8_t>(GoImage::vaddr(kEdge - 1)), pattern(kEdge - 1));
  EXPECT_EQ(bytes.load<uint8_t>(GoImage::vaddr(kEdge + 8)), pattern(kEdge + 8));
  EXPECT_EQ(bytes.load<uint8_t>(GoImage::vaddr(0x3100)), pattern(0x3100));
}

TEST_F(ImageBytesTest, ReadStopsAtTheEndOfTheSegment) {
  const ImageBytes bytes = open();
  std::array<std::byte, 64> out{};
  EXPECT_EQ(bytes.read(GoImage::vaddr(kBytes - 10), out), 10U);
  EXPECT_EQ(bytes.read(GoImage::vaddr(kBytes), out), 0U);
  EXPECT_EQ(bytes.read(GoImage::kBase - 1, out), 0U);
  EXPECT_EQ(bytes.read(UINT64_MAX, out), 0U);
  EXPECT_EQ(bytes.available(GoImage::vaddr(kBytes - 10)), 10U);
  EXPECT_EQ(bytes.available(GoImage::vaddr(kBytes)), 0U);
  EXPECT_FALSE(bytes.load<uint64_t>(GoImage::vaddr(kBytes - 7)));
  EXPECT_TRUE(bytes.load<uint64_t>(GoImage::vaddr(kBytes - 8)));
  EXPECT_TRUE(bytes.view(GoImage::vaddr(kBytes)).empty());
}

TEST_F(ImageBytesTest, ForgottenBlockIsReadAgain) {
  image_.bytes.resize(200 * ImageBytes::kBlockBytes, 7);  // more than are kept
  image_.put(image_.segments + 32, uint64_t{image_.bytes.size()});
  const ImageBytes bytes = open();
  const uint64_t at = GoImage::vaddr(2 * ImageBytes::kBlockBytes);
  const auto before = bytes.load<uint64_t>(at);
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_TRUE(bytes.load<uint8_t>(GoImage::vaddr(i * ImageBytes::kBlockBytes)));
  }
  EXPECT_EQ(bytes.load<uint64_t>(at), before);
}

TEST_F(ImageBytesTest, TextEndsAtItsNulAndHasAtMostTheAllowedBytes) {
  const size_t at = ImageBytes::kBlockBytes - 3;  // across two blocks
  image_.put_bytes(at, "mapscope", 9);
  const ImageBytes bytes = open();
  EXPECT_EQ(bytes.text(GoImage::vaddr(at), 8), "mapscope");
  EXPECT_EQ(bytes.text(GoImage::vaddr(at + 8), 8), "");
  EXPECT_FALSE(bytes.text(GoImage::vaddr(at), 7));
  EXPECT_FALSE(bytes.text(GoImage::vaddr(kBytes - 20), 1000)) << "no NUL up to the end";
}

TEST_F(ImageBytesTest, CursorReadsVarintsOfUpTo32Bits) {
  const size_t at = 2 * ImageBytes::kBlockBytes;
  image_.put_bytes(at, "\x05\xac\x02\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x1f", 13);
  const ImageBytes bytes = open();
  ByteCursor cursor(bytes, GoImage::vaddr(at), UINT64_MAX);
  EXPECT_EQ(cursor.uvarint(), 5U);
  EXPECT_EQ(cursor.uvarint(), 300U);
  EXPECT_EQ(cursor.vaddr(), GoImage::vaddr(at + 3));
  EXPECT_EQ(cursor.uvarint(), UINT32_MAX);
  EXPECT_FALSE(cursor.uvarint()) << "over 32 bits";
}

TEST_F(ImageBytesTest, CursorStopsAtItsEnd) {
  const size_t at = 2 * ImageBytes::kBlockBytes;
  image_.put_bytes(at, "\x80\x80\x80\x01", 4);
  const ImageBytes bytes = open();
  ByteCursor cursor(bytes, GoImage::vaddr(at), GoImage::vaddr(at + 3));
  EXPECT_FALSE(cursor.uvarint());
  EXPECT_FALSE(cursor.byte());
  EXPECT_FALSE(ByteCursor(bytes, GoImage::vaddr(kBytes), UINT64_MAX).byte());
}

TEST_F(ImageBytesTest, AlignmentAtTheEndOfTheAddressSpaceHasNoNext) {
  EXPECT_EQ(align_up(17, 16), 32U);
  EXPECT_EQ(align_up(32, 16), 32U);
  EXPECT_EQ(align_up(UINT64_MAX - 3, 16), UINT64_MAX);
}

TEST_F(ImageBytesTest, FileThatShrinksGivesFewerBytes) {
  const auto elf = test::open_image_of(image_.bytes);
  ASSERT_TRUE(elf);
  const auto bytes = ImageBytes::open(*elf);
  ASSERT_TRUE(bytes);
  ASSERT_EQ(ftruncate(elf->descriptor().get(), ImageBytes::kBlockBytes + 5), 0);
  std::array<std::byte, 64> out{};
  EXPECT_EQ(bytes->read(GoImage::vaddr(ImageBytes::kBlockBytes), out), 5U);
}

}  // namespace
}  // namespace mapscope
