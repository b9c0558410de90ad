// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/elf_file.h"

#include <elf.h>
#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "agent/binary/elf_sections.h"

namespace mapscope {
namespace {

constexpr size_t kMaxSegments = 4096;
constexpr size_t kMaxVdsoBytes = 256U << 10;
constexpr size_t kMaxBuildIdBytes = 64;

Error corrupt(const std::string& name) {
  return {ErrorKind::kCorrupt, name + ": corrupt ELF file: " + elf_errmsg(-1)};
}

// What the section takes in memory once it is read, or nullopt if that is unknowable.
std::optional<uint64_t> expanded_bytes(Elf_Scn* section, const GElf_Shdr& header,
                                       std::string_view name) {
  if ((header.sh_flags & SHF_COMPRESSED) != 0) {
    GElf_Chdr compression{};
    if (gelf_getchdr(section, &compression) == nullptr) return {};
    return compression.ch_size;
  }
  if (!name.starts_with(".zdebug")) return header.sh_size;
  constexpr size_t kHeaderBytes = 12;  // "ZLIB" and the size, big endian
  const Elf_Data* data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr || data->d_size < kHeaderBytes) return {};
  const auto* bytes = static_cast<const unsigned char*>(data->d_buf);
  uint64_t size = 0;
  for (size_t i = 4; i < kHeaderBytes; ++i) size = size << 8 | bytes[i];
  return size;
}

// .debug_info and what its attributes refer to.
bool describes_types(std::string_view name) {
  return name.ends_with("_info") || name.ends_with("_abbrev") || name.ends_with("_str") ||
         name.ends_with("_str_offsets");
}

template <typename Visit>  // bool(const GElf_Phdr&): true stops
void visit_load_segments(Elf* elf, Visit visit) {
  size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return;
  for (size_t i = 0; i < count && i < kMaxSegments; ++i) {
    GElf_Phdr segment{};
    if (gelf_getphdr(elf, static_cast<int>(i), &segment) == nullptr) return;
    if (segment.p_type == PT_LOAD && visit(segment)) return;
  }
}

}  // namespace

ElfFile::ElfFile(ElfFile&& other) noexcept
    : image_(std::move(other.image_)), elf_(std::exchange(other.elf_, nullptr)) {}

ElfFile& ElfFile::operator=(ElfFile&& other) noexcept {
  std::swap(image_, other.image_);
  std::swap(elf_, other.elf_);
  return *this;
}

ElfFile::~ElfFile() { elf_end(elf_); }

Result<ElfFile> ElfFile::open(int fd, const std::string& name, uint64_t max_debug_bytes,
                              DebugSections wanted) {
  elf_version(EV_CURRENT);
  ElfFile file(elf_begin(fd, ELF_C_READ, nullptr));
  if (Status status = file.check_header(name); !status) return std::move(status).error();
  if (Status status = file.hide_dangerous_sections(name, max_debug_bytes, wanted); !status) {
    return std::move(status).error();
  }
  return file;
}

Result<ElfFile> ElfFile::open_vdso() {
  elf_version(EV_CURRENT);
  const auto*
      start =  // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel hands it over as a number
      reinterpret_cast<const std::byte*>(getauxval(AT_SYSINFO_EHDR));
  if (start == nullptr) return Error{ErrorKind::kNotFound, "[vdso]: this kernel has none"};
  Elf64_Ehdr header{};
  std::memcpy(&header, start, sizeof(header));
  const size_t bytes = header.e_shoff + size_t{header.e_shnum} * header.e_shentsize;
  if (bytes > kMaxVdsoBytes) return Error{ErrorKind::kCorrupt, "[vdso]: too large"};
  std::vector<std::byte> image(start, start + bytes);
  ElfFile file(elf_memory(reinterpret_cast<char*>(image.data()), image.size()));
  file.image_ = std::move(image);
  if (Status status = file.check_header("[vdso]"); !status) return std::move(status).error();
  return file;
}

Status ElfFile::check_header(const std::string& name) const {
  GElf_Ehdr header{};
  if (elf_kind(elf_) != ELF_K_ELF || gelf_getehdr(elf_, &header) == nullptr) {
    return Error{ErrorKind::kUnsupported, name + ": not an ELF file"};
  }
  if (gelf_getclass(elf_) != ELFCLASS64 || header.e_machine != EM_X86_64) {
    return Error{ErrorKind::kUnsupported, name + ": not for 64-bit x86-64"};
  }
  return Done{};
}

Status ElfFile::hide_dangerous_sections(const std::string& name, uint64_t max_debug_bytes,
                                        DebugSections wanted) {
  std::vector<Elf_Scn*> debug;
  std::vector<Elf_Scn*> dangerous;
  uint64_t total = 0;
  const bool readable = visit_sections(
      elf_, [&](Elf_Scn* section, const GElf_Shdr& header, std::string_view section_name) {
        const bool is_debug =
            section_name.starts_with(".debug_") || section_name.starts_with(".zdebug_");
        const bool is_beside_types =
            is_debug && wanted == DebugSections::kTypes && !describes_types(section_name);
        const bool is_dangerous =
            !is_debug && (section_name == ".gnu_debugaltlink" || section_name == ".gnu_debugdata" ||
                          (header.sh_flags & SHF_COMPRESSED) != 0);
        const bool is_unwanted = is_beside_types || is_dangerous;
        if (is_unwanted) dangerous.push_back(section);
        if (is_unwanted || !is_debug) return false;
        debug.push_back(section);
        if (total > max_debug_bytes || max_debug_bytes == 0) return false;
        const auto bytes = expanded_bytes(section, header, section_name);
        if (!bytes || __builtin_add_overflow(total, *bytes, &total)) total = UINT64_MAX;
        return false;
      });
  if (!readable) return corrupt(name);
  if (max_debug_bytes == 0 || total > max_debug_bytes)
    dangerous.insert(dangerous.end(), debug.begin(), debug.end());
  return std::ranges::all_of(dangerous, hide_section) ? Status(Done{}) : corrupt(name);
}

Elf* ElfFile::new_reference() const { return elf_begin(-1, ELF_C_READ, elf_); }

std::optional<uint64_t> ElfFile::load_bias(uint64_t start, uint64_t offset) const {
  std::optional<uint64_t> bias;
  visit_load_segments(elf_, [&](const GElf_Phdr& segment) {
    // A mapping begins at a page, up to one page before the segment.
    constexpr uint64_t kPageMask = 4095;
    const uint64_t first = segment.p_offset & ~kPageMask;
    const bool holds =
        offset >= first && offset - first < segment.p_filesz + (segment.p_offset & kPageMask);
    if ((segment.p_flags & PF_X) == 0 || !holds) return false;
    bias = start - offset + segment.p_offset - segment.p_vaddr;
    return true;
  });
  return bias;
}

uint64_t ElfFile::first_vaddr() const {
  uint64_t vaddr = 0;
  visit_load_segments(elf_, [&](const GElf_Phdr& segment) {
    vaddr = segment.p_vaddr & (0 - segment.p_align);
    return true;
  });
  return vaddr;
}

bool ElfFile::has_debug_info() const {
  bool found = false;
  visit_sections(elf_, [&](Elf_Scn*, const GElf_Shdr& header, std::string_view name) {
    found = header.sh_type != SHT_NOBITS && (name == ".debug_info" || name == ".zdebug_info");
    return found;
  });
  return found;
}

std::vector<uint8_t> ElfFile::build_id() const {
  const void* bits = nullptr;
  const ssize_t bytes = dwelf_elf_gnu_build_id(elf_, &bits);
  if (bytes <= 0 || static_cast<size_t>(bytes) > kMaxBuildIdBytes) return {};
  const auto* first = static_cast<const uint8_t*>(bits);
  return {first, first + bytes};
}

std::string ElfFile::debug_link() const {
  GElf_Word checksum = 0;
  const char* name = dwelf_elf_gnu_debuglink(elf_, &checksum);
  return name == nullptr ? "" : name;
}

}  // namespace mapscope
