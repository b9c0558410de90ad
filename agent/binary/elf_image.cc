// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/elf_image.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

#include "agent/binary/foreign.h"

namespace mapscope {
namespace {

constexpr uint64_t kMaxSymbols = 10'000'000;
constexpr uint64_t kMaxNamesBytes = 64ULL << 20;
constexpr size_t kMaxNameBytes = 64 << 10;
constexpr uint64_t kMaxNoteBytes = 1 << 20;
constexpr size_t kMaxSections = 1 << 20;
constexpr size_t kMaxLoadSegments = 128;
constexpr uint64_t kMaxSectionNamesBytes = 1 << 20;
constexpr size_t kMaxBuildIdBytes = 64;

struct ElfCloser {
  void operator()(Elf* elf) const { elf_end(elf); }
};
using ElfHandle = std::unique_ptr<Elf, ElfCloser>;

struct NamedSection {
  std::string_view name;  // in section_names
  LoadedSection place;
};

// Sorted by hash, then global before local, then as in the file.
struct Function {
  size_t hash = 0;
  bool local = false;
  Symbol symbol;
};

Error corrupt(const std::string& name, const std::string& what) {
  return {ErrorKind::kCorrupt, name + ": corrupt ELF file: " + what};
}

Error unsupported(const std::string& name, const std::string& what) {
  return {ErrorKind::kUnsupported, name + ": " + what};
}

std::string to_hex(const unsigned char* bytes, size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

// The descriptor of the GNU build id note in `data`; "" when it is not there.
std::string find_build_id(Elf_Data* data) {
  GElf_Nhdr note{};
  size_t name_at = 0;
  size_t desc_at = 0;
  size_t next = 0;
  const auto* bytes = static_cast<const unsigned char*>(data->d_buf);
  while (bytes != nullptr && (next = gelf_getnote(data, next, &note, &name_at, &desc_at)) > 0) {
    const bool is_gnu = note.n_namesz == sizeof(ELF_NOTE_GNU) &&
                        std::memcmp(bytes + name_at, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0;
    if (is_gnu && note.n_type == NT_GNU_BUILD_ID) {
      return to_hex(bytes + desc_at, std::min<size_t>(note.n_descsz, kMaxBuildIdBytes));
    }
  }
  return "";
}

}  // namespace

struct ElfImage::Impl {
  std::string name;
  UniqueFd fd;
  uint64_t file_bytes = 0;
  std::vector<LoadSegment> segments;
  std::optional<LoadedSection> dynamic;
  std::vector<char> section_names;
  std::vector<NamedSection> loaded_sections;
  size_t section_count = 0;
  std::vector<std::vector<char>>
      names;  // string tables; moved, never copied: symbols point into them
  std::vector<Function> functions;
  std::string build_id;

  Status check_header(Elf* elf) const;
  Status read_segments(Elf* elf);
  Status read_sections(Elf* elf);
  Status read_symbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header);
  Status read_names(Elf* elf, size_t section_index);
  void read_build_id(Elf* elf, uint64_t offset, uint64_t bytes, uint64_t align);
  [[nodiscard]] bool inside_file(uint64_t offset, uint64_t bytes) const {
    return offset <= file_bytes && bytes <= file_bytes - offset;
  }
  void read_section_names(Elf* elf);
  void add_section(const GElf_Shdr& header);
  [[nodiscard]] const LoadSegment* executable_at(uint64_t vaddr) const;
};

Status ElfImage::Impl::check_header(Elf* elf) const {
  GElf_Ehdr header{};
  if (elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == nullptr) {
    return unsupported(name, "not an ELF file");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64) {
    return unsupported(name, "not a 64-bit x86-64 program; only those are supported");
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return unsupported(name, "neither a program nor a shared library");
  }
  // libelf takes a table that lies outside the file for none. 0 entries: the count is in the first
  // section.
  const uint64_t sections = header.e_shoff == 0 ? 0 : std::max<uint64_t>(header.e_shnum, 1);
  if (!inside_file(header.e_shoff, sections * sizeof(Elf64_Shdr))) {
    return corrupt(name, "section headers outside the file");
  }
  if (!inside_file(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr))) {
    return corrupt(name, "program headers outside the file");
  }
  return Done{};
}

void ElfImage::Impl::read_build_id(Elf* elf, uint64_t offset, uint64_t bytes, uint64_t align) {
  if (!build_id.empty() || bytes > kMaxNoteBytes || !inside_file(offset, bytes)) return;
  Elf_Data* data = elf_getdata_rawchunk(elf, static_cast<int64_t>(offset), bytes,
                                        align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
  if (data != nullptr) build_id = find_build_id(data);
}

Status ElfImage::Impl::read_segments(Elf* elf) {
  size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return corrupt(name, "program headers outside the file");
  for (size_t i = 0; i < count; ++i) {
    GElf_Phdr header{};
    if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) {
      return corrupt(name, "program headers outside the file");
    }
    if (header.p_type == PT_NOTE)
      read_build_id(elf, header.p_offset, header.p_filesz, header.p_align);
    if (header.p_type == PT_DYNAMIC) dynamic = LoadedSection{header.p_vaddr, header.p_filesz};
    if (header.p_type != PT_LOAD) continue;
    const bool executable = (header.p_flags & PF_X) != 0;
    if (!inside_file(header.p_offset, header.p_filesz) ||
        header.p_vaddr > UINT64_MAX - header.p_filesz) {
      return corrupt(name, executable ? "an executable segment ends outside the file"
                                      : "a segment ends outside the file");
    }
    if (segments.size() == kMaxLoadSegments) return unsupported(name, "over 128 segments");
    segments.push_back({header.p_vaddr, header.p_offset, header.p_filesz, executable,
                        (header.p_flags & PF_W) != 0});
  }
  if (std::none_of(segments.begin(), segments.end(),
                   [](const LoadSegment& segment) { return segment.executable; })) {
    return unsupported(name, "has no executable segment");
  }
  return Done{};
}

Status ElfImage::Impl::read_names(Elf* elf, size_t section_index) {
  Elf_Scn* section = elf_getscn(elf, section_index);
  GElf_Shdr header{};
  if (section == nullptr || gelf_getshdr(section, &header) == nullptr ||
      header.sh_type != SHT_STRTAB) {
    return corrupt(name, "a symbol table has no string table");
  }
  if (header.sh_size > kMaxNamesBytes) return unsupported(name, "symbol names are over 64 MiB");
  if (!inside_file(header.sh_offset, header.sh_size)) {
    return corrupt(name, "a string table ends outside the file");
  }
  const Elf_Data* data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr)
    return corrupt(name, "a string table is unreadable");
  const auto* bytes = static_cast<const char*>(data->d_buf);
  names.emplace_back(bytes, bytes + data->d_size);
  return Done{};
}

Status ElfImage::Impl::read_symbols(Elf* elf, Elf_Scn* section, const GElf_Shdr& header) {
  if (header.sh_entsize != sizeof(Elf64_Sym)) return corrupt(name, "symbols of an unknown size");
  if (header.sh_size / sizeof(Elf64_Sym) > kMaxSymbols)
    return unsupported(name, "over 10 million symbols");
  if (!inside_file(header.sh_offset, header.sh_size)) {
    return corrupt(name, "a symbol table ends outside the file");
  }
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr)
    return corrupt(name, "a symbol table is unreadable");
  if (Status read = read_names(elf, header.sh_link); !read) return read;
  const std::vector<char>& text = names.back();
  const size_t count = data->d_size / sizeof(Elf64_Sym);
  for (size_t i = 0; i < count; ++i) {
    GElf_Sym symbol{};
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
    const bool defined = symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS;
    if (!defined || GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_name == 0) continue;
    if (symbol.st_name >= text.size())
      return corrupt(name, "a symbol's name is outside its string table");
    const char* start = text.data() + symbol.st_name;
    const size_t limit = std::min(text.size() - symbol.st_name, kMaxNameBytes + 1);
    const size_t length = strnlen(start, limit);
    if (length == limit) {
      if (limit > kMaxNameBytes) return unsupported(name, "a symbol's name is over 64 KiB");
      return corrupt(name, "a symbol's name has no end");
    }
    const std::string_view symbol_name(start, length);
    functions.push_back({std::hash<std::string_view>{}(symbol_name),
                         GELF_ST_BIND(symbol.st_info) == STB_LOCAL,
                         {symbol_name, symbol.st_value, symbol.st_size}});
  }
  return Done{};
}

// Without them, sections are only nameless: symbols need none.
void ElfImage::Impl::read_section_names(Elf* elf) {
  size_t index = 0;
  GElf_Shdr header{};
  if (elf_getshdrstrndx(elf, &index) != 0 || index == SHN_UNDEF) return;
  Elf_Scn* section = elf_getscn(elf, index);
  if (section == nullptr || gelf_getshdr(section, &header) == nullptr ||
      header.sh_type != SHT_STRTAB || header.sh_size > kMaxSectionNamesBytes ||
      !inside_file(header.sh_offset, header.sh_size)) {
    return;
  }
  const Elf_Data* data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return;
  const auto* bytes = static_cast<const char*>(data->d_buf);
  section_names.assign(bytes, bytes + data->d_size);
}

void ElfImage::Impl::add_section(const GElf_Shdr& header) {
  if ((header.sh_flags & SHF_ALLOC) == 0 || header.sh_type == SHT_NOBITS ||
      header.sh_name >= section_names.size() || !inside_file(header.sh_offset, header.sh_size)) {
    return;
  }
  const char* start = section_names.data() + header.sh_name;
  const size_t limit = section_names.size() - header.sh_name;
  const size_t length = strnlen(start, limit);
  if (length == limit) return;
  loaded_sections.push_back({std::string_view(start, length), {header.sh_addr, header.sh_size}});
}

Status ElfImage::Impl::read_sections(Elf* elf) {
  size_t count = 0;
  if (elf_getshdrnum(elf, &count) != 0) return corrupt(name, "section headers outside the file");
  if (count > kMaxSections) return unsupported(name, "over a million sections");
  section_count = count;
  read_section_names(elf);
  names.reserve(2);
  for (size_t i = 1; i < count; ++i) {
    Elf_Scn* section = elf_getscn(elf, i);
    GElf_Shdr header{};
    if (section == nullptr || gelf_getshdr(section, &header) == nullptr) {
      return corrupt(name, "section headers outside the file");
    }
    add_section(header);
    if (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) continue;
    if (names.size() == 2) return corrupt(name, "more than two symbol tables");
    if (Status read = read_symbols(elf, section, header); !read) return read;
  }
  std::stable_sort(functions.begin(), functions.end(), [](const Function& a, const Function& b) {
    return std::pair(a.hash, a.local) < std::pair(b.hash, b.local);
  });
  return Done{};
}

const LoadSegment* ElfImage::Impl::executable_at(uint64_t vaddr) const {
  for (const LoadSegment& segment : segments) {
    if (segment.executable && vaddr >= segment.vaddr && vaddr - segment.vaddr < segment.bytes) {
      return &segment;
    }
  }
  return nullptr;
}

Result<ElfImage> ElfImage::open(const UniqueFd& fd, std::string name) {
  auto impl = std::make_unique<Impl>();
  impl->name = std::move(name);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return system_error(impl->name, errno);
  if (!S_ISREG(status.st_mode)) return unsupported(impl->name, "not a regular file");
  if (const std::string script = script_of(fd); !script.empty())
    return unsupported(impl->name, script + "; only ELF programs have maps to watch");
  impl->file_bytes = static_cast<uint64_t>(status.st_size);
  impl->fd = UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!impl->fd.valid()) return system_error(impl->name, errno);

  elf_version(EV_CURRENT);
  const ElfHandle elf(elf_begin(impl->fd.get(), ELF_C_READ, nullptr));
  if (elf == nullptr) return unsupported(impl->name, "not an ELF file");
  if (Status checked = impl->check_header(elf.get()); !checked) return std::move(checked).error();
  if (Status read = impl->read_segments(elf.get()); !read) return std::move(read).error();
  if (Status read = impl->read_sections(elf.get()); !read) return std::move(read).error();
  return ElfImage(std::move(impl));
}

ElfImage::ElfImage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ElfImage::ElfImage(ElfImage&&) noexcept = default;
ElfImage& ElfImage::operator=(ElfImage&&) noexcept = default;
ElfImage::~ElfImage() = default;

const std::string& ElfImage::name() const { return impl_->name; }
const std::string& ElfImage::build_id() const { return impl_->build_id; }
size_t ElfImage::function_count() const { return impl_->functions.size(); }
std::span<const LoadSegment> ElfImage::load_segments() const { return impl_->segments; }
std::optional<LoadedSection> ElfImage::dynamic() const { return impl_->dynamic; }
bool ElfImage::has_sections() const { return impl_->section_count > 1; }
const UniqueFd& ElfImage::descriptor() const { return impl_->fd; }

std::optional<LoadedSection> ElfImage::find_section(std::string_view section) const {
  for (const NamedSection& named : impl_->loaded_sections) {
    if (named.name == section) return named.place;
  }
  return std::nullopt;
}

std::optional<Symbol> ElfImage::find_function(std::string_view name) const {
  const size_t hash = std::hash<std::string_view>{}(name);
  auto at = std::lower_bound(impl_->functions.begin(), impl_->functions.end(), hash,
                             [](const Function& f, size_t wanted) { return f.hash < wanted; });
  for (; at != impl_->functions.end() && at->hash == hash; ++at) {
    if (at->symbol.name == name) return at->symbol;
  }
  return std::nullopt;
}

std::vector<std::byte> ElfImage::code(uint64_t vaddr, size_t max_bytes) const {
  const LoadSegment* segment = impl_->executable_at(vaddr);
  if (segment == nullptr) return {};
  const uint64_t skip = vaddr - segment->vaddr;
  std::vector<std::byte> bytes(std::min<uint64_t>(max_bytes, segment->bytes - skip));
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = pread(impl_->fd.get(), bytes.data() + have, bytes.size() - have,
                              static_cast<off_t>(segment->offset + skip + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

std::optional<uint64_t> ElfImage::file_offset(uint64_t vaddr) const {
  const LoadSegment* segment = impl_->executable_at(vaddr);
  if (segment == nullptr) return std::nullopt;
  return segment->offset + (vaddr - segment->vaddr);
}

}  // namespace mapscope
