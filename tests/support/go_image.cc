// SPDX-License-Identifier: Apache-2.0
#include "tests/support/go_image.h"

#include <elf.h>

#include <cstring>
#include <initializer_list>
#include <map>
#include <utility>

#include "agent/binary/go_build_info.h"

namespace mapscope::test {
namespace {

constexpr size_t kTextAt = 0x1000;

struct Change {
  int32_t value;
  uint32_t until;  // offset in the function
};

class Builder {
 public:
  Builder(PclntabFormat format, std::string version, GoNames names)
      : format_(format),
        version_(std::move(version)),
        minor_(parse_go_version(version_).value_or(GoVersion{}).minor),
        called_(std::move(names)) {
    if (called_.growth.empty())
      called_.growth = minor_ >= 24 ? "internal/runtime/maps.(*table).rehash" : "runtime.hashGrow";
  }

  GoImage build() {
    image_.growth = called_.growth;
    image_.bytes.resize(kTextAt + 0x100, 0xcc);
    add_code();
    add_table();
    add_types();
    add_build_info();
    add_module_data();
    add_headers();
    return std::move(image_);
  }

 private:
  [[nodiscard]] bool is_relative() const { return format_ >= PclntabFormat::kGo118; }
  [[nodiscard]] bool has_parts() const { return format_ >= PclntabFormat::kGo116; }
  [[nodiscard]] size_t size() const { return image_.bytes.size(); }

  size_t align(size_t alignment) {
    while (size() % alignment != 0) image_.bytes.push_back(0);
    return size();
  }
  template <typename T>
  size_t add(T value) {
    const size_t at = size();
    image_.bytes.resize(at + sizeof(T));
    image_.put(at, value);
    return at;
  }
  size_t add_text(const std::string& text) {
    const size_t at = size();
    for (const char c : text) add(static_cast<uint8_t>(c));
    add(uint8_t{0});
    return at;
  }
  void add_uvarint(uint32_t value) {
    for (; value >= 0x80; value >>= 7) add(static_cast<uint8_t>(value | 0x80));
    add(static_cast<uint8_t>(value));
  }

  // mov [rbx+disp32], rax: what newproc1 stores of a goroutine.
  void add_code() {
    const int32_t start = minor_ >= 26   ? 304
                          : minor_ == 25 ? 296
                          : minor_ >= 23 ? 304
                          : minor_ >= 21 ? 296
                          : minor_ >= 17 ? 312
                                         : 296;
    const int32_t goid = minor_ == 23 || minor_ == 24 ? 160 : 152;
    size_t at = kTextAt + (GoImage::kNewproc1 - GoImage::kText);
    for (const int32_t displacement : {start, start - 16, goid}) {
      image_.put_bytes(at, "\x48\x89\x83", 3);
      image_.put(at + 3, displacement);
      at += 7;
    }
  }

  uint32_t add_pc_values(std::initializer_list<Change> changes) {
    const auto at = static_cast<uint32_t>(size() - image_.pc_values);
    int32_t value = -1;
    uint32_t pc = 0;
    for (const Change& change : changes) {
      const int32_t delta = change.value - value;
      add_uvarint(static_cast<uint32_t>(delta) << 1 ^ static_cast<uint32_t>(delta >> 31));
      add_uvarint(change.until - pc);
      value = change.value;
      pc = change.until;
    }
    add(uint8_t{0});
    return at;
  }

  void add_pc_tables() {
    image_.pcsp = add_pc_values({{0, 4}, {24, 0x70}, {0, 0x80}});
    const int32_t first = has_parts() ? 0 : 1;
    image_.pcfile = add_pc_values({{first, 0x10}, {first + 1, 0x20}, {first, 0x80}});
    image_.pcln = add_pc_values({{10, 0x10}, {31, 0x20}, {21, 0x28}, {12, 0x80}});
    image_.inline_indices = add_pc_values({{-1, 0x10}, {1, 0x20}, {0, 0x28}, {-1, 0x80}});
  }

  size_t add_record(uint64_t entry, uint32_t name, bool is_main) {
    const size_t at = align(8);
    is_relative() ? add(static_cast<uint32_t>(entry - GoImage::kText)) : add(entry);
    add(name);
    add(uint64_t{0});  // args, deferreturn
    for (const uint32_t offset : {image_.pcsp, image_.pcfile, image_.pcln}) {
      add(is_main ? offset : 0U);
    }
    add(is_main ? 3U : 0U);                         // npcdata
    if (has_parts()) add(0U);                       // compilation unit
    if (format_ == PclntabFormat::kGo120) add(9U);  // first line
    add(uint16_t{0});                               // funcID, flag
    add(uint8_t{0});
    add(static_cast<uint8_t>(is_main ? 5 : 0));  // nfuncdata
    if (!is_main) return at;
    for (const uint32_t offset : {0U, 0U, image_.inline_indices}) add(offset);
    if (!is_relative()) align(8);
    const uint8_t tree = has_parts() ? 3 : 4;
    for (uint8_t i = 0; i < 5; ++i) {
      if (is_relative()) {
        add(i == tree ? 0U : UINT32_MAX);  // the tree is all the function data there is
      } else {
        add(i == tree ? GoImage::vaddr(image_.inline_tree) : uint64_t{0});
      }
    }
    return at;
  }

  void add_inline_tree() {
    image_.inline_tree = align(8);
    const bool has_parents = format_ < PclntabFormat::kGo120;
    image_.inline_entry_bytes = has_parents ? 20 : 16;
    for (const auto& [name, parent_pc] :
         {std::pair(name_of(called_.outer), 0x08), std::pair(name_of(called_.inner), 0x20)}) {
      add(has_parents ? 0xffffU : 0U);
      if (has_parents) add(uint64_t{0});  // file, line
      add(name);
      add(parent_pc);
      if (!has_parents) add(20U);
    }
  }

  uint32_t name_of(const std::string& name) { return names_.at(name); }

  void add_names() {
    for (const std::string& name : std::initializer_list<std::string>{
             called_.main, called_.outer, called_.inner, called_.growth, called_.last}) {
      names_[name] = static_cast<uint32_t>(add_text(name) - image_.names);
    }
  }

  void add_functions() {
    const size_t base = has_parts() ? image_.functions : image_.pclntab;
    const std::pair<uint64_t, std::string> functions[] = {{GoImage::kMain, called_.main},
                                                          {GoImage::kGrowth, called_.growth},
                                                          {GoImage::kNewproc1, called_.last}};
    for (size_t i = 0; i < 3; ++i) {
      const auto& [entry, name] = functions[i];
      const size_t record = add_record(entry, name_of(name), i == 0);
      if (i == 0) image_.main_record = record;
      const size_t at = image_.functions + i * (is_relative() ? 8 : 16);
      if (is_relative()) {
        image_.put(at, static_cast<uint32_t>(entry - GoImage::kText));
        image_.put(at + 4, static_cast<uint32_t>(record - base));
      } else {
        image_.put(at, entry);
        image_.put(at + 8, uint64_t{record - base});
      }
    }
  }

  // Space for the function table and its end; filled in by add_functions().
  void reserve_functions() {
    const size_t entry = is_relative() ? 4 : 8;
    image_.functions = size();
    image_.bytes.resize(size() + 7 * entry);
    if (is_relative()) {
      image_.put(size() - 4, static_cast<uint32_t>(GoImage::kTextEnd - GoImage::kText));
    } else {
      image_.put(size() - 8, GoImage::kTextEnd);
    }
  }

  void add_table() {
    static constexpr uint32_t kMagics[] = {0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1};
    image_.pclntab = align(32);
    add(kMagics[static_cast<size_t>(format_)]);
    add(0x08010000U);  // pointers of 8 bytes, instructions of any length
    add(uint64_t{3});
    has_parts() ? add_parts() : add_go12();
  }

  void add_go12() {
    image_.names = image_.pc_values = image_.pclntab;
    reserve_functions();
    const size_t files = add(0U);
    add_names();
    const size_t first = add_text("a.go");
    const size_t second = add_text("b.go");
    add_pc_tables();
    add_inline_tree();
    image_.put(files, static_cast<uint32_t>(align(4) - image_.pclntab));
    add(3U);
    for (const size_t at : {first, second}) add(static_cast<uint32_t>(at - image_.pclntab));
    add_functions();
  }

  void add_parts() {
    add(uint64_t{2});  // files
    if (is_relative()) add(minor_ >= 26 ? uint64_t{0} : GoImage::kText);
    const size_t offsets = size();
    for (int i = 0; i < 5; ++i) add(uint64_t{0});
    size_t part = 0;
    const auto begin_part = [&] {
      image_.put(offsets + 8 * part++, uint64_t{size() - image_.pclntab});
      return size();
    };
    image_.names = begin_part();
    add_names();
    begin_part();
    for (const uint32_t offset : {0U, 5U}) add(offset);  // of the two files
    begin_part();
    add_text("a.go");
    add_text("b.go");
    image_.pc_values = begin_part();
    add(uint8_t{0});  // no table is at offset 0
    add_pc_tables();
    add_inline_tree();
    align(8);
    begin_part();
    reserve_functions();
    add_functions();
  }

  size_t add_type_name(const std::string& name) {
    const size_t at = add(uint8_t{0});
    if (minor_ <= 16) add(uint8_t{0});
    add(static_cast<uint8_t>(name.size()));
    for (const char c : name) add(static_cast<uint8_t>(c));
    return at;
  }

  size_t add_type(uint64_t bytes, uint8_t kind, uint8_t flags, int32_t name) {
    const size_t at = align(8);
    add(bytes);
    add(uint64_t{8});  // of them that hold pointers
    add(0U);           // hash
    for (const uint8_t byte : {flags, uint8_t{8}, uint8_t{8}, kind}) add(byte);
    add(uint64_t{0});
    add(uint64_t{0});
    add(name);
    add(0U);
    return at;
  }

  void add_types() {
    types_ = align(16);
    add(uint64_t{0});
    const auto name = static_cast<int32_t>(add_type_name("*map[string]int") - types_);
    const size_t key = add_type(16, 24, 0, name);
    const size_t elem = add_type(8, 2, 0, name);
    image_.map_type = add_type(8, minor_ >= 26 ? 21 : 53, 2, name);
    for (const size_t type : {key, elem, key, key}) add(GoImage::vaddr(type));
    const bool is_swiss = minor_ >= 24;
    add(is_swiss ? uint64_t{200} : uint64_t{208} << 16 | 8 << 8 | 16);
    types_end_ = size();
  }

  void add_build_info() {
    image_.build_info = align(16);
    image_.bytes.resize(size() + 32);
    image_.put_bytes(image_.build_info, "\xff Go buildinf:\x08", 15);
    const std::string module = std::string(16, '<') + "path\tmain\nbuild\t-pgo=/a.pgo\n" +
                               "build\tGOEXPERIMENT=noswissmap\n" + std::string(16, '>');
    if (minor_ >= 18) {
      image_.put(image_.build_info + 15, uint8_t{2});
      for (const std::string& text : {version_, module}) {
        add_uvarint(static_cast<uint32_t>(text.size()));
        for (const char c : text) add(static_cast<uint8_t>(c));
      }
      return;
    }
    size_t pointer = image_.build_info + 16;
    for (const std::string& text : {version_, module}) {
      const size_t at = add_text(text);
      image_.put(pointer, GoImage::vaddr(align(8)));
      add(GoImage::vaddr(at));
      add(uint64_t{text.size()});
      pointer += 8;
    }
  }

  void add_module_data() {
    image_.module_data = align(32);
    image_.bytes.resize(size() + 400);
    const auto word = [&](size_t offset, uint64_t value) {
      image_.put(image_.module_data + offset, value);
    };
    const auto slice = [&](size_t offset, uint64_t start, uint64_t length) {
      word(offset, start);
      word(offset + 8, length);
      word(offset + 16, length);
    };
    word(0, GoImage::vaddr(image_.pclntab));
    slice(has_parts() ? 8 : 0, GoImage::vaddr(image_.names), 100);
    slice(has_parts() ? 128 : 24, GoImage::vaddr(image_.functions), 4);
    const size_t text = has_parts() ? 176 : 96;
    word(text - 16, GoImage::kText);
    word(text - 8, GoImage::kTextEnd);
    word(text, GoImage::kText);
    word(text + 8, GoImage::kTextEnd);
    const size_t types = format_ == PclntabFormat::kGo120 ? 296 : has_parts() ? 280 : 200;
    word(types, GoImage::vaddr(types_));
    word(types + (minor_ >= 27 ? 16 : 8), GoImage::vaddr(types_end_));
    const size_t function_data = minor_ >= 27 ? 344 : minor_ >= 20 ? 320 : 304;
    const size_t sections = minor_ >= 27   ? 360
                            : minor_ >= 26 ? 336
                            : minor_ >= 20 ? 328
                            : minor_ >= 18 ? 312
                            : minor_ >= 16 ? 296
                                           : 216;
    if (minor_ >= 18) word(function_data, GoImage::vaddr(image_.inline_tree));
    if (minor_ >= 26) word(function_data + 8, GoImage::vaddr(types_));
    slice(sections, GoImage::kText, 1);
  }

  void add_headers() {
    Elf64_Ehdr header = header_of_program(2);
    header.e_shentsize = sizeof(Elf64_Shdr);
    image_.segments = header.e_phoff;
    image_.put(0, header);
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_X;
    segment.p_vaddr = GoImage::kBase;
    segment.p_filesz = segment.p_memsz = image_.build_info;
    image_.put(image_.segments, segment);
    segment.p_flags = PF_R | PF_W;
    segment.p_offset = image_.build_info;
    segment.p_vaddr = GoImage::vaddr(image_.build_info);
    segment.p_filesz = segment.p_memsz = size() - image_.build_info;
    image_.put(image_.segments + sizeof(segment), segment);
  }

  PclntabFormat format_;
  std::string version_;
  int minor_;
  GoNames called_;
  GoImage image_;
  std::map<std::string, uint32_t> names_;
  size_t types_ = 0;
  size_t types_end_ = 0;
};

}  // namespace

void GoImage::put_bytes(size_t offset, const void* value, size_t size) {
  std::memcpy(bytes.data() + offset, value, size);
}

GoImage make_go_image(PclntabFormat format, const std::string& version, GoNames names) {
  return Builder(format, version, std::move(names)).build();
}

}  // namespace mapscope::test
