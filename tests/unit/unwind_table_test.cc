// SPDX-License-Identifier: Apache-2.0
// Unwind tables that compilers and linkers write stay; those that would make libdw allocate or read
// without bound are hidden.
#include "agent/symbolize/unwind_table.h"

#include <dwarf.h>
#include <elf.h>
#include <gelf.h>
#include <gtest/gtest.h>
#include <libelf.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/binary/elf_file.h"
#include "agent/binary/elf_sections.h"
#include "tests/paths.h"
#include "tests/support/image_file.h"

namespace mapscope::test {
namespace {

struct Close {
  void operator()(Elf* elf) const { elf_end(elf); }
};

// As ElfFile opens it, of bytes in memory.
class Image {
 public:
  explicit Image(Bytes bytes) : bytes_(std::move(bytes)) {
    elf_version(EV_CURRENT);
    elf_.reset(elf_memory(reinterpret_cast<char*>(bytes_.data()), bytes_.size()));
  }

  [[nodiscard]] GElf_Shdr section(std::string_view wanted) const {
    GElf_Shdr found{};
    visit_sections(elf_.get(), [&](Elf_Scn*, const GElf_Shdr& header, std::string_view name) {
      if (name == wanted) found = header;
      return name == wanted;
    });
    return found;
  }
  [[nodiscard]] bool keeps_table() {
    guard_unwind_table(elf_.get());
    return section(".eh_frame").sh_type == SHT_PROGBITS;
  }
  [[nodiscard]] bool keeps_segment() {
    guard_unwind_table(elf_.get());
    size_t count = 0;
    elf_getphdrnum(elf_.get(), &count);
    for (size_t i = 0; i < count; ++i) {
      GElf_Phdr segment{};
      gelf_getphdr(elf_.get(), static_cast<int>(i), &segment);
      if (segment.p_type == PT_GNU_EH_FRAME) return true;
    }
    return false;
  }

 private:
  Bytes bytes_;
  std::unique_ptr<Elf, Close> elf_;
};

constexpr const char* kLargeFile = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6";
constexpr size_t kInstructions = 17;  // of the first description, for "zR" and 4-byte addresses

struct File {
  explicit File(const std::string& path = MAPSCOPE_FIXTURE_STACKS_PIE) : bytes(read_file(path)) {
    const Image image(bytes);
    entries = image.section(".eh_frame");
    index = image.section(".eh_frame_hdr");
  }

  template <typename T>
  T& at(uint64_t offset) {
    return *reinterpret_cast<T*>(bytes.data() + offset);
  }
  // Offset in the file of the longest description's instructions, and how many bytes they have.
  std::pair<uint64_t, size_t> longest_program() {
    std::pair<uint64_t, size_t> longest{};
    for (uint64_t offset = 0; offset + 8 < entries.sh_size;) {
      const uint64_t start = entries.sh_offset + offset;
      const auto length = at<uint32_t>(start);
      if (length == 0) break;
      if (at<uint32_t>(start + 4) != 0 && length + 4 - kInstructions > longest.second)
        longest = {start + kInstructions, length + 4 - kInstructions};
      offset += length + 4;
    }
    return longest;
  }
  bool keeps_table_with(const std::vector<uint8_t>& program) {
    const auto [offset, size] = longest_program();
    EXPECT_GE(size, program.size());
    std::memset(bytes.data() + offset, DW_CFA_nop, size);
    std::ranges::copy(program, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    return Image(bytes).keeps_table();
  }

  Bytes bytes;
  GElf_Shdr entries{};
  GElf_Shdr index{};
};

TEST(UnwindTable, OfRealFilesStays) {
  for (const char* path :
       {MAPSCOPE_FIXTURE_STACKS_PIE, MAPSCOPE_FIXTURE_STACKS_DWARF4,
        MAPSCOPE_FIXTURE_STACKS_STRIPPED, "/proc/self/exe", "/lib/x86_64-linux-gnu/libc.so.6",
        kLargeFile, "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"})
    EXPECT_TRUE(Image(read_file(path)).keeps_table()) << path;
}

TEST(UnwindTable, OfTheKernelsOwnLibraryStays) {
  const auto vdso = ElfFile::open_vdso();
  ASSERT_TRUE(vdso.ok());
  guard_unwind_table(vdso->elf());
  bool kept = false;
  visit_sections(vdso->elf(), [&](Elf_Scn*, const GElf_Shdr& header, std::string_view name) {
    kept = kept || (name == ".eh_frame" && header.sh_type == SHT_PROGBITS);
    return kept;
  });
  EXPECT_TRUE(kept);
}

TEST(UnwindTable, RegisterBeyondThoseOfTheMachineHidesIt) {
  EXPECT_TRUE(File().keeps_table_with({DW_CFA_undefined, 16}));
  EXPECT_TRUE(File().keeps_table_with({DW_CFA_undefined, 0xff, 0x01}));
  EXPECT_FALSE(File().keeps_table_with({DW_CFA_undefined, 0x80, 0x02}));
  EXPECT_FALSE(File().keeps_table_with({DW_CFA_same_value, 0xff, 0xff, 0xff, 0xff, 0x0f}));
  EXPECT_FALSE(File().keeps_table_with({DW_CFA_restore_extended, 0xff, 0xff, 0x03}));
  EXPECT_FALSE(File().keeps_table_with({DW_CFA_expression, 0xff, 0xff, 0x03, 1, 0}));
}

TEST(UnwindTable, StatesThatAreOnlyRememberedHideIt) {
  File file(kLargeFile);
  EXPECT_TRUE(file.keeps_table_with(std::vector<uint8_t>(64, DW_CFA_remember_state)));
  EXPECT_FALSE(file.keeps_table_with(std::vector<uint8_t>(65, DW_CFA_remember_state)));
  EXPECT_FALSE(file.keeps_table_with({DW_CFA_restore_state}));
}

TEST(UnwindTable, ProgramThatIsNotOneHidesIt) {
  File file;
  std::vector<uint8_t> cut(file.longest_program().second, DW_CFA_nop);
  cut.back() = DW_CFA_def_cfa_offset;
  EXPECT_FALSE(file.keeps_table_with(cut));
  EXPECT_FALSE(file.keeps_table_with({0x3f}));
  EXPECT_FALSE(file.keeps_table_with({DW_CFA_def_cfa_expression, 0xff, 0x7f}));
  // A number that libdw and this reader would take for different lengths.
  std::vector<uint8_t> overlong(12, 0x80);
  overlong.front() = DW_CFA_def_cfa_offset;
  EXPECT_FALSE(file.keeps_table_with(overlong));
}

TEST(UnwindTable, IndexThatLeadsBesideDescriptionsHidesIt) {
  const std::vector<std::pair<const char*, std::function<void(File&)>>> changes = {
      {"a place beside", [](File& f) { f.at<int32_t>(f.index.sh_offset + 16) += 3; }},
      {"a place outside", [](File& f) { f.at<int32_t>(f.index.sh_offset + 16) = 0x7fffffff; }},
      {"a common entry",
       [](File& f) {
         f.at<int32_t>(f.index.sh_offset + 16) =
             static_cast<int32_t>(f.entries.sh_addr - f.index.sh_addr);
       }},
      {"more pairs than it has", [](File& f) { f.at<uint32_t>(f.index.sh_offset + 8) *= 2; }},
      {"another form", [](File& f) { f.at<uint8_t>(f.index.sh_offset + 3) = DW_EH_PE_absptr; }},
      {"another table", [](File& f) { f.at<int32_t>(f.index.sh_offset + 4) += 8; }}};
  for (const auto& [name, change] : changes) {
    File file;
    change(file);
    EXPECT_FALSE(Image(file.bytes).keeps_table()) << name;
  }
}

TEST(UnwindTable, WithoutSectionHeadersTheSegmentIsHidden) {
  File file;
  EXPECT_TRUE(Image(file.bytes).keeps_segment());
  auto& header = file.at<Elf64_Ehdr>(0);
  header.e_shoff = 0;
  header.e_shnum = header.e_shstrndx = 0;
  EXPECT_FALSE(Image(file.bytes).keeps_segment());
}

}  // namespace
}  // namespace mapscope::test
