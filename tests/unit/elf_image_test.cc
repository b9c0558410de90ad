// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/elf_image.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "tests/paths.h"
#include "tests/support/image_file.h"

namespace mapscope {
namespace {

using test::Bytes;
using test::open_image;
using test::open_image_of;

template <typename T>
T load(const Bytes& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

template <typename T>
void store(Bytes* bytes, size_t offset, const T& value) {
  std::memcpy(bytes->data() + offset, &value, sizeof(value));
}

Bytes contract() { return test::read_file(MAPSCOPE_FIXTURE_CONTRACT_PIE); }

// Offset of the first program or section header of a type.
size_t program_header(const Bytes& bytes, uint32_t type, uint32_t flags = 0) {
  const auto header = load<Elf64_Ehdr>(bytes, 0);
  for (size_t i = 0; i < header.e_phnum; ++i) {
    const size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    const auto segment = load<Elf64_Phdr>(bytes, at);
    if (segment.p_type == type && (segment.p_flags & flags) == flags) return at;
  }
  return 0;
}

size_t section_header(const Bytes& bytes, uint32_t type) {
  const auto header = load<Elf64_Ehdr>(bytes, 0);
  for (size_t i = 0; i < header.e_shnum; ++i) {
    const size_t at = header.e_shoff + i * sizeof(Elf64_Shdr);
    if (load<Elf64_Shdr>(bytes, at).sh_type == type) return at;
  }
  return 0;
}

ErrorKind kind_of(const Bytes& bytes) {
  const Result<ElfImage> image = open_image_of(bytes);
  return image ? ErrorKind::kUsage : image.error().kind;  // kUsage: it was accepted
}

// Reads what a plan would read; for inputs that only must not crash.
void use(const ElfImage& image) {
  if (const auto symbol = image.find_function("mapscope_map_grow")) {
    (void)image.code(symbol->vaddr, symbol->size);
    (void)image.file_offset(symbol->vaddr);
  }
  (void)image.code(0, 1 << 20);
}

void expect_contract(const char* path) {
  const Result<ElfImage> image = open_image(path);
  ASSERT_TRUE(image) << image.error().text;
  const auto grow = image->find_function("mapscope_map_grow");
  ASSERT_TRUE(grow);
  EXPECT_EQ(grow->size, 16U);
  const auto code = image->code(grow->vaddr, grow->size);
  ASSERT_EQ(code.size(), grow->size);
  EXPECT_EQ(code[0], std::byte{0x90});
  EXPECT_EQ(code[1], std::byte{0x48});
  EXPECT_EQ(code.back(), std::byte{0xc3});
  const auto offset = image->file_offset(grow->vaddr);
  ASSERT_TRUE(offset);
  EXPECT_EQ(test::read_file(path)[*offset + 15], 0xc3);
}

TEST(ElfImage, PositionIndependentProgramHasItsFunctions) {
  expect_contract(MAPSCOPE_FIXTURE_CONTRACT_PIE);
}
TEST(ElfImage, FixedAddressProgramHasItsFunctions) {
  expect_contract(MAPSCOPE_FIXTURE_CONTRACT_NO_PIE);
}
TEST(ElfImage, StaticProgramHasItsFunctions) { expect_contract(MAPSCOPE_FIXTURE_CONTRACT_STATIC); }
TEST(ElfImage, StrippedProgramHasItsExportedFunctions) {
  expect_contract(MAPSCOPE_FIXTURE_CONTRACT_EXPORTED);
}

TEST(ElfImage, StrippedProgramHasNoFunctions) {
  const Result<ElfImage> image = open_image(MAPSCOPE_FIXTURE_CONTRACT_STRIPPED);
  ASSERT_TRUE(image) << image.error().text;
  EXPECT_FALSE(image->find_function("mapscope_map_grow"));
}

TEST(ElfImage, UndefinedFunctionIsNotFound) {
  const Result<ElfImage> image = open_image(MAPSCOPE_FIXTURE_CONTRACT_PIE);
  ASSERT_TRUE(image);
  EXPECT_FALSE(image->find_function("exit"));
  EXPECT_FALSE(image->find_function("mapscope_map_gro"));
  EXPECT_FALSE(image->find_function(""));
}

TEST(ElfImage, DataIsNotCode) {
  const Bytes bytes = contract();
  const Result<ElfImage> image = open_image_of(bytes);
  ASSERT_TRUE(image);
  const auto data = load<Elf64_Phdr>(bytes, program_header(bytes, PT_LOAD, PF_W));
  EXPECT_TRUE(image->code(data.p_vaddr, 8).empty());
  EXPECT_FALSE(image->file_offset(data.p_vaddr));
}

TEST(ElfImage, CodeEndsWithItsSegment) {
  const Bytes bytes = contract();
  const Result<ElfImage> image = open_image_of(bytes);
  ASSERT_TRUE(image);
  const auto text = load<Elf64_Phdr>(bytes, program_header(bytes, PT_LOAD, PF_X));
  const uint64_t last = text.p_vaddr + text.p_filesz - 1;
  EXPECT_EQ(image->code(last, 64).size(), 1U);
  EXPECT_EQ(image->file_offset(last), text.p_offset + text.p_filesz - 1);
  EXPECT_FALSE(image->file_offset(last + 1));
  EXPECT_FALSE(image->file_offset(UINT64_MAX));
}

TEST(ElfImage, BuildIdIsTheNotesBytes) {
  const Bytes bytes = contract();
  const Result<ElfImage> image = open_image_of(bytes);
  ASSERT_TRUE(image);
  ASSERT_EQ(image->build_id().size(), 40U);
  Bytes id;
  for (size_t i = 0; i < 40; i += 2) {
    id.push_back(static_cast<uint8_t>(std::stoi(image->build_id().substr(i, 2), nullptr, 16)));
  }
  EXPECT_NE(std::search(bytes.begin(), bytes.end(), id.begin(), id.end()), bytes.end());
}

TEST(ElfImage, DescriptorMayBeClosedAfterOpen) {
  Result<ElfImage> image =
      open_image(MAPSCOPE_FIXTURE_CONTRACT_PIE);  // its descriptor is closed here
  ASSERT_TRUE(image);
  const ElfImage moved = std::move(*image);
  const auto grow = moved.find_function("mapscope_map_grow");
  ASSERT_TRUE(grow);
  EXPECT_EQ(moved.code(grow->vaddr, 4).size(), 4U);
}

TEST(ElfImage, FileThatShrinksAfterOpenGivesNoCode) {
  const Bytes bytes = contract();
  const UniqueFd fd(memfd_create("shrinks", MFD_CLOEXEC));
  ASSERT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  const Result<ElfImage> image = ElfImage::open(fd, "shrinks");
  ASSERT_TRUE(image);
  const auto grow = image->find_function("mapscope_map_grow");
  ASSERT_TRUE(grow);
  ASSERT_EQ(ftruncate(fd.get(), 64), 0);
  EXPECT_TRUE(image->code(grow->vaddr, 16).empty());
}

TEST(ElfImage, TextFileIsUnsupported) {
  EXPECT_EQ(kind_of({'#', '!', '/', 'b', 'i', 'n', '/', 's', 'h', '\n'}), ErrorKind::kUnsupported);
  EXPECT_EQ(kind_of({}), ErrorKind::kUnsupported);
}

TEST(ElfImage, DirectoryIsUnsupported) {
  const Result<ElfImage> image = open_image("/");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind, ErrorKind::kUnsupported);
}

TEST(ElfImage, OtherMachineIsUnsupported) {
  Bytes bytes = contract();
  store<uint16_t>(&bytes, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kUnsupported);
}

TEST(ElfImage, ThirtyTwoBitIsUnsupported) {
  Bytes bytes = contract();
  bytes[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(kind_of(bytes), ErrorKind::kUnsupported);
}

TEST(ElfImage, ObjectFileIsUnsupported) {
  Bytes bytes = contract();
  store<uint16_t>(&bytes, offsetof(Elf64_Ehdr, e_type), ET_REL);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kUnsupported);
}

TEST(ElfImage, ProgramHeadersOutsideTheFileAreRefused) {
  Bytes bytes = contract();
  store<uint64_t>(&bytes, offsetof(Elf64_Ehdr, e_phoff), bytes.size() - 8);
  EXPECT_NE(kind_of(bytes), ErrorKind::kUsage);
  store<uint64_t>(&bytes, offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 8);
  EXPECT_NE(kind_of(bytes), ErrorKind::kUsage);
}

TEST(ElfImage, SectionHeadersOutsideTheFileAreRefused) {
  Bytes bytes = contract();
  store<uint64_t>(&bytes, offsetof(Elf64_Ehdr, e_shoff), bytes.size() - 8);
  EXPECT_NE(kind_of(bytes), ErrorKind::kUsage);
}

TEST(ElfImage, ExecutableSegmentOutsideTheFileIsCorrupt) {
  Bytes bytes = contract();
  const size_t text = program_header(bytes, PT_LOAD, PF_X);
  store<uint64_t>(&bytes, text + offsetof(Elf64_Phdr, p_filesz), bytes.size() + 1);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

TEST(ElfImage, SegmentOffsetThatWrapsAroundIsCorrupt) {
  Bytes bytes = contract();
  const size_t text = program_header(bytes, PT_LOAD, PF_X);
  store<uint64_t>(&bytes, text + offsetof(Elf64_Phdr, p_offset), UINT64_MAX - 15);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

TEST(ElfImage, SegmentAddressThatWrapsAroundIsCorrupt) {
  Bytes bytes = contract();
  const size_t text = program_header(bytes, PT_LOAD, PF_X);
  store<uint64_t>(&bytes, text + offsetof(Elf64_Phdr, p_vaddr), UINT64_MAX - 15);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

TEST(ElfImage, SymbolTableOutsideTheFileIsCorrupt) {
  Bytes bytes = contract();
  const size_t symbols = section_header(bytes, SHT_SYMTAB);
  store<uint64_t>(&bytes, symbols + offsetof(Elf64_Shdr, sh_offset), bytes.size());
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

TEST(ElfImage, SymbolsOfAnotherSizeAreCorrupt) {
  Bytes bytes = contract();
  const size_t symbols = section_header(bytes, SHT_SYMTAB);
  store<uint64_t>(&bytes, symbols + offsetof(Elf64_Shdr, sh_entsize), 1);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

TEST(ElfImage, TooManySymbolsAreUnsupported) {
  Bytes bytes = contract();
  const size_t symbols = section_header(bytes, SHT_SYMTAB);
  store<uint64_t>(&bytes, symbols + offsetof(Elf64_Shdr, sh_size), 24ULL * 10'000'001);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kUnsupported);
}

TEST(ElfImage, StringTableLinkToAnotherSectionIsCorrupt) {
  Bytes bytes = contract();
  const size_t symbols = section_header(bytes, SHT_SYMTAB);
  store<uint32_t>(&bytes, symbols + offsetof(Elf64_Shdr, sh_link), 0);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
  store<uint32_t>(&bytes, symbols + offsetof(Elf64_Shdr, sh_link), 60000);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

TEST(ElfImage, SymbolNameOutsideTheStringTableIsCorrupt) {
  Bytes bytes = contract();
  const auto header = load<Elf64_Shdr>(bytes, section_header(bytes, SHT_SYMTAB));
  for (size_t at = header.sh_offset; at < header.sh_offset + header.sh_size;
       at += sizeof(Elf64_Sym)) {
    store<uint32_t>(&bytes, at + offsetof(Elf64_Sym, st_name), 0x7fffffff);
  }
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

TEST(ElfImage, SymbolNameWithoutEndIsCorrupt) {
  Bytes bytes = contract();
  const auto symbols = load<Elf64_Shdr>(bytes, section_header(bytes, SHT_SYMTAB));
  const auto header = load<Elf64_Ehdr>(bytes, 0);
  const auto names = load<Elf64_Shdr>(bytes, header.e_shoff + symbols.sh_link * sizeof(Elf64_Shdr));
  std::memset(bytes.data() + names.sh_offset, 'a', names.sh_size);
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

TEST(ElfImage, MissingSectionHeadersLeaveNoFunctions) {
  Bytes bytes = contract();
  store<uint64_t>(&bytes, offsetof(Elf64_Ehdr, e_shoff), 0);
  store<uint16_t>(&bytes, offsetof(Elf64_Ehdr, e_shnum), 0);
  store<uint16_t>(&bytes, offsetof(Elf64_Ehdr, e_shstrndx), 0);
  const Result<ElfImage> image = open_image_of(bytes);
  ASSERT_TRUE(image) << image.error().text;
  EXPECT_EQ(image->function_count(), 0U);
}

TEST(ElfImage, EveryTruncationIsRefusedOrSurvived) {
  const Bytes whole = contract();
  for (size_t length = 0; length < whole.size(); length += length < 2048 ? 1 : 61) {
    const Result<ElfImage> image =
        open_image_of({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length)});
    EXPECT_FALSE(image) << "accepted the first " << length << " of " << whole.size() << " bytes";
  }
}

TEST(ElfImage, ChangedHeaderBytesAreSurvived) {
  const Bytes whole = contract();
  const auto header = load<Elf64_Ehdr>(whole, 0);
  std::mt19937 random(1);
  const std::pair<size_t, size_t> tables[] = {
      {0, sizeof(Elf64_Ehdr)},
      {header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)},
      {header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr)}};
  size_t accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = whole;
    for (const auto& [offset, size] : tables) {
      bytes[offset + random() % size] = static_cast<uint8_t>(random() % 3 == 0 ? 0xff : random());
    }
    if (const Result<ElfImage> image = open_image_of(bytes)) {
      ++accepted;
      use(*image);
    }
  }
  EXPECT_GT(accepted, 0U);  // so that not only the first check was exercised
}

TEST(ElfImage, SectionsAreFoundByNameWhereTheyAreMapped) {
  const auto image = open_image(MAPSCOPE_FIXTURE_CONTRACT_PIE);
  ASSERT_TRUE(image);
  EXPECT_TRUE(image->has_sections());
  const auto text = image->find_section(".text");
  ASSERT_TRUE(text);
  const auto main = image->find_function("main");
  ASSERT_TRUE(main);
  EXPECT_GE(main->vaddr, text->vaddr);
  EXPECT_LT(main->vaddr, text->vaddr + text->bytes);
  EXPECT_FALSE(image->find_section(".bss")) << "it has no bytes in the file";
  EXPECT_FALSE(image->find_section(".symtab")) << "it is not mapped";
  EXPECT_FALSE(image->find_section(".tex"));
}

TEST(ElfImage, WithoutSectionNamesNothingIsFoundByName) {
  Bytes bytes = contract();
  store(&bytes, offsetof(Elf64_Ehdr, e_shstrndx), uint16_t{SHN_UNDEF});
  const auto image = open_image_of(bytes);
  ASSERT_TRUE(image);
  EXPECT_TRUE(image->has_sections());
  EXPECT_FALSE(image->find_section(".text"));
}

TEST(ElfImage, LoadSegmentsSayWhatMayBeWritten) {
  const auto image = open_image(MAPSCOPE_FIXTURE_CONTRACT_PIE);
  ASSERT_TRUE(image);
  size_t executable = 0;
  size_t writable = 0;
  for (const LoadSegment& segment : image->load_segments()) {
    executable += segment.executable ? 1 : 0;
    writable += segment.writable ? 1 : 0;
    EXPECT_FALSE(segment.executable && segment.writable);
  }
  EXPECT_EQ(executable, 1U);
  EXPECT_EQ(writable, 1U);
}

TEST(ElfImage, DataSegmentOutsideTheFileIsCorrupt) {
  Bytes bytes = contract();
  const size_t at = program_header(bytes, PT_LOAD, PF_W);
  store(&bytes, at + offsetof(Elf64_Phdr, p_filesz), uint64_t{bytes.size()});
  EXPECT_EQ(kind_of(bytes), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace mapscope
