// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/unwind_table.h"

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "agent/binary/elf_sections.h"

namespace mapscope {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint64_t kMaxRegister = 255;  // x86-64 has numbers up to 145
constexpr int kMaxRemembered = 64;
// How often a table may be read over: entries of .eh_frame_hdr may all lead to one long program.
constexpr uint64_t kMaxReadings = 4;

// Once anything is wrong it stays so.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : bytes_(bytes) {}
  Cursor(const uint8_t* begin, const uint8_t* end)
      : bytes_(begin, begin != nullptr && begin < end ? end : begin) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool more() const { return ok_ && !bytes_.empty(); }
  [[nodiscard]] size_t left() const { return bytes_.size(); }

  void fail() { ok_ = false; }
  void skip(uint64_t count) {
    ok_ = ok_ && count <= bytes_.size();
    if (ok_) bytes_ = bytes_.subspan(count);
  }
  uint8_t byte() {
    const uint8_t value = more() ? bytes_.front() : 0;
    skip(1);
    return value;
  }
  // Of nine bytes at most: libdw ends longer ones early, and goes on inside them.
  uint64_t leb128() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      const uint8_t next = byte();
      value |= uint64_t{next & 0x7fU} << shift;
      if ((next & 0x80) == 0) return value;
    }
    fail();
    return 0;
  }
  void address(uint8_t encoding) { skip(address_bytes(encoding)); }

 private:
  // Values without a size of their own, aligned ones and those that are looked up elsewhere do not
  // occur: more than there can be.
  static uint64_t address_bytes(uint8_t encoding) {
    constexpr uint8_t kFormat = 0x0f;
    if ((encoding & ~kFormat) > DW_EH_PE_funcrel && (encoding & ~kFormat) != DW_EH_PE_indirect &&
        (encoding & ~kFormat) != (DW_EH_PE_indirect | DW_EH_PE_pcrel))
      return UINT64_MAX;
    switch (encoding & kFormat) {
      case DW_EH_PE_absptr:
      case DW_EH_PE_udata8:
      case DW_EH_PE_sdata8:
        return 8;
      case DW_EH_PE_udata4:
      case DW_EH_PE_sdata4:
        return 4;
      case DW_EH_PE_udata2:
      case DW_EH_PE_sdata2:
        return 2;
      default:
        return UINT64_MAX;
    }
  }

  Bytes bytes_;
  bool ok_ = true;
};

// r: a register; u: a number; 1, 2, 4: so many bytes; b: a block. nullptr: no compiler writes it.
const char* operands_of(uint8_t opcode) {
  switch (opcode) {
    case DW_CFA_nop:
    case DW_CFA_remember_state:
    case DW_CFA_restore_state:
      return "";
    case DW_CFA_advance_loc1:
      return "1";
    case DW_CFA_advance_loc2:
      return "2";
    case DW_CFA_advance_loc4:
      return "4";
    case DW_CFA_def_cfa_offset:
    case DW_CFA_def_cfa_offset_sf:
    case DW_CFA_GNU_args_size:
      return "u";
    case DW_CFA_restore_extended:
    case DW_CFA_undefined:
    case DW_CFA_same_value:
    case DW_CFA_def_cfa_register:
      return "r";
    case DW_CFA_offset_extended:
    case DW_CFA_offset_extended_sf:
    case DW_CFA_def_cfa:
    case DW_CFA_def_cfa_sf:
    case DW_CFA_val_offset:
    case DW_CFA_val_offset_sf:
    case DW_CFA_GNU_negative_offset_extended:
      return "ru";
    case DW_CFA_register:
      return "rr";
    case DW_CFA_def_cfa_expression:
      return "b";
    case DW_CFA_expression:
    case DW_CFA_val_expression:
      return "rb";
    default:
      return nullptr;
  }
}

void skip_operand(char kind, Cursor& program) {
  if (kind == 'r') {
    if (program.leb128() > kMaxRegister) program.fail();
  } else if (kind == 'u') {
    program.leb128();
  } else if (kind == 'b') {
    program.skip(program.leb128());
  } else {
    program.skip(static_cast<uint64_t>(kind - '0'));
  }
}

bool is_harmless(Cursor program) {
  constexpr uint8_t kPrimary = 0xc0;
  int remembered = 0;
  while (program.more()) {
    const uint8_t opcode = program.byte();
    if ((opcode & kPrimary) == DW_CFA_offset) program.leb128();
    if ((opcode & kPrimary) != 0) continue;
    const char* operands = operands_of(opcode);
    if (operands == nullptr) return false;
    for (; *operands != 0; ++operands) skip_operand(*operands, program);
    if (opcode == DW_CFA_remember_state) ++remembered;
    if (opcode == DW_CFA_restore_state) --remembered;
    if (remembered < 0 || remembered > kMaxRemembered) return false;
  }
  return program.ok();
}

// The entries of one .eh_frame.
class Entries {
 public:
  Entries(Elf* elf, Elf_Data* data)
      : ident_(reinterpret_cast<const unsigned char*>(elf_getident(elf, nullptr))),
        data_(data),
        budget_(kMaxReadings * data->d_size) {}

  // As libdw reads them when it has nothing to look them up in.
  bool are_harmless() {
    for (Dwarf_Off offset = 0;;) {
      Dwarf_CFI_Entry entry{};
      const Dwarf_Off at = offset;
      const int result = dwarf_next_cfi(ident_, data_, true, at, &offset, &entry);
      if (result != 0) return result > 0;
      if (offset <= at || !is_entry_harmless(at, entry)) return false;
    }
  }

  bool is_description_harmless(Dwarf_Off offset) {
    Dwarf_CFI_Entry entry{};
    Dwarf_Off next = 0;
    return offset < data_->d_size &&
           dwarf_next_cfi(ident_, data_, true, offset, &next, &entry) == 0 &&
           !dwarf_cfi_cie_p(&entry) && is_description_harmless(entry.fde);
  }

 private:
  // What descriptions need of the entry that they have in common.
  struct Common {
    uint8_t encoding = DW_EH_PE_absptr;
    bool has_data = false;
  };

  bool spend(uint64_t bytes) {
    if (bytes > budget_) return false;
    budget_ -= bytes;
    return true;
  }

  bool is_entry_harmless(Dwarf_Off offset, const Dwarf_CFI_Entry& entry) {
    return dwarf_cfi_cie_p(&entry) ? learn(offset, entry.cie) != nullptr
                                   : is_description_harmless(entry.fde);
  }

  bool is_description_harmless(const Dwarf_FDE& description) {
    const Common* common = find(description.CIE_pointer);
    if (common == nullptr) return false;
    Cursor cursor(description.start, description.end);
    if (!spend(cursor.left())) return false;
    cursor.address(common->encoding);
    cursor.address(common->encoding & 0x0f);
    if (common->has_data) cursor.skip(cursor.leb128());
    return cursor.ok() && is_harmless(cursor);
  }

  const Common* find(Dwarf_Off offset) {
    if (const auto known = commons_.find(offset); known != commons_.end()) return &known->second;
    Dwarf_CFI_Entry entry{};
    Dwarf_Off next = 0;
    if (offset >= data_->d_size ||
        dwarf_next_cfi(ident_, data_, true, offset, &next, &entry) != 0 || !dwarf_cfi_cie_p(&entry))
      return nullptr;
    return learn(offset, entry.cie);
  }

  const Common* learn(Dwarf_Off offset, const Dwarf_CIE& cie) {
    const Cursor program(cie.initial_instructions, cie.initial_instructions_end);
    const auto common = read_augmentation(cie);
    if (!common || !spend(program.left() + 1) || !is_harmless(program)) return nullptr;
    return &commons_.insert_or_assign(offset, *common).first->second;
  }

  static std::optional<Common> read_augmentation(const Dwarf_CIE& cie) {
    Common common;
    std::string_view letters = cie.augmentation == nullptr ? "" : cie.augmentation;
    if (letters.empty()) return common;
    if (letters.front() != 'z') return {};
    common.has_data = true;
    Cursor data(cie.augmentation_data, cie.augmentation_data == nullptr
                                           ? nullptr
                                           : cie.augmentation_data + cie.augmentation_data_size);
    letters.remove_prefix(1);
    for (const char letter : letters) {
      if (letter == 'R')
        common.encoding = data.byte();
      else if (letter == 'L')
        data.byte();
      else if (letter == 'P')
        data.address(data.byte());
      else if (letter != 'S')
        return {};
    }
    return data.ok() ? std::optional(common) : std::nullopt;
  }

  const unsigned char* ident_;
  Elf_Data* data_;
  uint64_t budget_;
  std::unordered_map<Dwarf_Off, Common> commons_;
};

struct Section {
  Elf_Scn* handle = nullptr;
  uint64_t vaddr = 0;
  Elf_Data* data = nullptr;  // nullptr: nothing in the file
};

struct UnwindSections {
  Section entries;  // .eh_frame
  Section index;    // .eh_frame_hdr
};

// Those that libdw takes.
UnwindSections find_sections(Elf* elf) {
  UnwindSections found;
  visit_sections(elf, [&](Elf_Scn* section, const GElf_Shdr& header, std::string_view name) {
    if (name != ".eh_frame" && name != ".eh_frame_hdr") return false;
    Elf_Data* data = header.sh_type == SHT_NOBITS ? nullptr : elf_rawdata(section, nullptr);
    if (data != nullptr && data->d_buf == nullptr) data = nullptr;
    (name == ".eh_frame" ? found.entries : found.index) = {section, header.sh_addr, data};
    return name == ".eh_frame";
  });
  return found;
}

// In the form that every linker writes: version 1, where .eh_frame is, a count and as many pairs.
bool is_index_harmless(const UnwindSections& sections, Entries& entries) {
  constexpr size_t kPairBytes = 8;
  constexpr std::array<uint8_t, 4> kForm = {1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_udata4,
                                            DW_EH_PE_datarel | DW_EH_PE_sdata4};
  struct Header {
    std::array<uint8_t, 4> form;
    int32_t entries;
    uint32_t count;
  } header{};
  const Section& index = sections.index;
  if (index.data == nullptr || index.data->d_size < sizeof(header)) return false;
  const auto* bytes = static_cast<const uint8_t*>(index.data->d_buf);
  std::memcpy(&header, bytes, sizeof(header));
  if (header.form != kForm ||
      index.vaddr + 4 + static_cast<uint64_t>(int64_t{header.entries}) != sections.entries.vaddr ||
      header.count > (index.data->d_size - sizeof(header)) / kPairBytes)
    return false;
  for (uint64_t i = 0; i < header.count; ++i) {
    int32_t place = 0;
    std::memcpy(&place, bytes + sizeof(header) + i * kPairBytes + 4, sizeof(place));
    const uint64_t vaddr = index.vaddr + static_cast<uint64_t>(int64_t{place});
    if (!entries.is_description_harmless(vaddr - sections.entries.vaddr)) return false;
  }
  // Without pairs libdw does not use it.
  return header.count > 0 || entries.are_harmless();
}

bool is_table_harmless(Elf* elf, const UnwindSections& sections) {
  if (sections.entries.data == nullptr) return false;
  Entries entries(elf, sections.entries.data);
  return sections.index.handle == nullptr ? entries.are_harmless()
                                          : is_index_harmless(sections, entries);
}

// Where libdw looks when no section has the name.
void hide_segment(Elf* elf) {
  size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return;
  for (size_t i = 0; i < count; ++i) {
    GElf_Phdr segment{};
    if (gelf_getphdr(elf, static_cast<int>(i), &segment) == nullptr) return;
    if (segment.p_type != PT_GNU_EH_FRAME) continue;
    segment.p_type = PT_NULL;
    gelf_update_phdr(elf, static_cast<int>(i), &segment);
  }
}

}  // namespace

void guard_unwind_table(Elf* elf) {
  const UnwindSections sections = find_sections(elf);
  if (sections.entries.handle == nullptr) return hide_segment(elf);
  if (!is_table_harmless(elf, sections)) hide_section(sections.entries.handle);
}

}  // namespace mapscope
