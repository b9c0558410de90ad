// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_module_data.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mapscope {
namespace {

constexpr size_t kMaxTables = 16;        // that look like a pclntab
constexpr size_t kMaxHeaders = 100'000;  // whose first word is that of a pclntab
constexpr size_t kMaxPlaces = 4096;      // that hold the address of one
constexpr uint64_t kMaxSearchedBytes = 1ULL << 30;
constexpr uint64_t kWord = 8;

// Offsets in moduledata; 0: not there. `names` and `functions`: of the slices of names and of
// functions. minpc and maxpc stand before text.
struct Layout {
  PclntabFormat format;
  uint16_t first_minor;  // of Go 1
  uint16_t names;
  uint16_t functions;
  uint16_t text;
  uint16_t types;
  uint16_t types_end;
  uint16_t function_data;
  uint16_t table_end;
  uint16_t text_sections;
};

constexpr Layout kLayouts[] = {
    {PclntabFormat::kGo120, 27, 8, 128, 176, 296, 312, 344, 352, 360},
    {PclntabFormat::kGo120, 26, 8, 128, 176, 296, 304, 320, 328, 336},
    {PclntabFormat::kGo120, 20, 8, 128, 176, 296, 304, 320, 0, 328},
    {PclntabFormat::kGo118, 18, 8, 128, 176, 280, 288, 304, 0, 312},
    {PclntabFormat::kGo116, 16, 8, 128, 176, 280, 288, 0, 0, 296},
    {PclntabFormat::kGo12, 0, 0, 24, 96, 200, 208, 0, 0, 216},
};

struct Slice {
  uint64_t start = 0;
  uint64_t length = 0;
  uint64_t capacity = 0;
};

struct Region {
  uint64_t vaddr = 0;
  uint64_t bytes = 0;
};

constexpr int kFirstMinor = 15;
constexpr int kLastMinor = 27;

Error unsupported(const ElfImage& image, const GoBuild& build, const std::string& what) {
  const std::string version = build.text.empty() ? "a Go program of unknown version" : build.text;
  const bool checked = build.version.major == 1 && build.version.minor <= kLastMinor;
  return {ErrorKind::kUnsupported, image.name() + ": " + version + ": " + what,
          checked ? std::string_view() : "go_layout"};
}

// What cannot be understood is corrupt only in a version whose tables are known.
Error not_understood(const ElfImage& image, const GoBuild& build, const std::string& what) {
  Error error = unsupported(image, build, what);
  const GoVersion& version = build.version;
  if (version.major == 1 && version.minor >= kFirstMinor && version.minor <= kLastMinor) {
    error.kind = ErrorKind::kCorrupt;
  }
  return error;
}

// Calls visit(address) for every aligned address in the regions whose 8 bytes are a word that
// `wanted` accepts, until it returns true.
template <typename Wanted, typename Visit>
void for_each_word(const ImageBytes& bytes, const std::vector<Region>& regions, Wanted wanted,
                   Visit visit) {
  uint64_t left = kMaxSearchedBytes;
  for (const Region& region : regions) {
    uint64_t at = align_up(region.vaddr, kWord);
    const uint64_t end = region.vaddr + std::min(region.bytes, left);
    left -= std::min(region.bytes, left);
    while (at < end && end - at >= kWord) {
      const auto view = bytes.view(at);
      const size_t count = std::min<uint64_t>(view.size(), end - at) / kWord;
      if (count == 0) break;
      std::vector<uint64_t> found;  // visiting reads, which ends the view
      for (size_t i = 0; i < count; ++i) {
        uint64_t word;
        std::memcpy(&word, view.data() + i * kWord, kWord);
        if (wanted(word)) found.push_back(at + i * kWord);
      }
      for (const uint64_t place : found) {
        if (visit(place)) return;
      }
      at += count * kWord;
    }
  }
}

std::vector<Region> sections(const ElfImage& image, std::initializer_list<const char*> names) {
  std::vector<Region> regions;
  for (const char* name : names) {
    if (const auto section = image.find_section(name)) {
      regions.push_back({section->vaddr, section->bytes});
    }
  }
  return regions;
}

std::vector<Region> segments(const ImageBytes& bytes, bool writable_only) {
  std::vector<Region> regions;
  for (const LoadSegment& segment : bytes.segments()) {
    if (segment.writable || !writable_only) regions.push_back({segment.vaddr, segment.bytes});
  }
  return regions;
}

void search_tables(const ImageBytes& bytes, const std::vector<Region>& regions,
                   std::vector<GoPclntab>* tables) {
  const auto is_header = [](uint64_t word) {
    return word >> 32 == 0x08010000 && GoPclntab::format_of_magic(static_cast<uint32_t>(word));
  };
  size_t headers = 0;
  for_each_word(bytes, regions, is_header, [&](uint64_t at) {
    if (auto table = GoPclntab::read(bytes, at, UINT64_MAX)) tables->push_back(*table);
    return tables->size() == kMaxTables || ++headers == kMaxHeaders;
  });
}

// An external linker merges the table of a PIE into .data.rel.ro (up to 1.25).
Result<std::vector<GoPclntab>> find_tables(const ElfImage& image, const ImageBytes& bytes,
                                           const GoBuild& build) {
  std::vector<GoPclntab> tables;
  for (const Region& region : sections(image, {".gopclntab", ".data.rel.ro.gopclntab"})) {
    const auto magic = bytes.load<uint32_t>(region.vaddr);
    if (magic && !GoPclntab::format_of_magic(*magic)) {
      char text[16];
      std::snprintf(text, sizeof(text), "0x%x", *magic);
      return unsupported(image, build,
                         std::string("function tables of an unknown kind (") + text + ")");
    }
    if (const auto table = GoPclntab::read(bytes, region.vaddr, region.bytes)) {
      tables.push_back(*table);
    }
  }
  if (tables.empty()) search_tables(bytes, sections(image, {".data.rel.ro"}), &tables);
  if (tables.empty()) search_tables(bytes, segments(bytes, false), &tables);
  if (tables.empty()) return not_understood(image, build, "no function tables");
  return tables;
}

bool is_range(uint64_t begin, uint64_t end, const ImageBytes& bytes) {
  return begin < end && bytes.available(begin) >= end - begin;
}

// Reads the module data at `place`, if that is where it is.
std::optional<GoModuleData> read_data(const ImageBytes& bytes, const GoPclntab& table,
                                      const Layout& layout, uint64_t place) {
  const auto word = [&](uint64_t offset) {
    return bytes.load<uint64_t>(place + offset).value_or(0);
  };
  const auto slice = [&](uint64_t offset) {
    return bytes.load<Slice>(place + offset).value_or(Slice{});
  };
  const Slice names = slice(layout.names);
  const Slice functions = slice(layout.functions);
  if (word(0) != table.vaddr() || names.start != table.names() || names.length != names.capacity ||
      functions.start != table.functions() || functions.length != table.function_count() + 1) {
    return std::nullopt;
  }
  GoModuleData data;
  data.text = word(layout.text);
  data.text_end = word(layout.text + kWord);
  data.types = word(layout.types);
  data.types_end = word(layout.types_end);
  if (layout.function_data != 0) data.function_data = word(layout.function_data);
  GoPclntab placed = table;
  placed.set_text(data.text, data.text_end);
  const uint64_t min_pc = word(layout.text - 2 * kWord);
  const uint64_t max_pc = word(layout.text - kWord);
  const uint64_t table_end = layout.table_end == 0 ? table.end() : word(layout.table_end);
  const bool agrees = is_range(data.text, data.text_end, bytes) && placed.entry(0) == min_pc &&
                      min_pc >= data.text && min_pc < max_pc && max_pc <= data.text_end &&
                      is_range(data.types, data.types_end, bytes) &&
                      (layout.function_data == 0 || bytes.available(data.function_data) > 0) &&
                      table_end > table.functions() && table_end <= table.end() &&
                      (table.header_text() == 0 || table.header_text() == data.text);
  if (!agrees) return std::nullopt;
  return data;
}

bool fits(const Layout& layout, const GoPclntab& table, const GoVersion& version) {
  if (layout.format != table.format()) return false;
  return version.minor == 0 || version.minor >= layout.first_minor;
}

}  // namespace

Result<GoModule> find_go_module(const ElfImage& image, const ImageBytes& bytes,
                                const GoBuild& build) {
  auto tables = find_tables(image, bytes, build);
  if (!tables) return std::move(tables).error();
  std::optional<GoModule> module;
  size_t places = 0;
  uint64_t text_sections = 0;
  const auto is_table = [&](uint64_t word) {
    return std::any_of(tables->begin(), tables->end(),
                       [&](const GoPclntab& table) { return table.vaddr() == word; });
  };
  const auto visit = [&](uint64_t place) {
    for (const GoPclntab& table : *tables) {
      for (const Layout& layout : kLayouts) {
        if (module || !fits(layout, table, build.version)) continue;
        const auto data = read_data(bytes, table, layout, place);
        if (!data) continue;
        module = GoModule{table, *data};
        text_sections = bytes.load<uint64_t>(place + layout.text_sections + kWord).value_or(0);
      }
    }
    return module || ++places == kMaxPlaces;
  };
  for_each_word(bytes, sections(image, {".go.module", ".noptrdata", ".data"}), is_table, visit);
  if (!module) for_each_word(bytes, segments(bytes, true), is_table, visit);
  if (!module) {
    return not_understood(image, build, "no module data for its function tables");
  }
  if (text_sections > 1) {
    return unsupported(image, build, "its code is in several sections; only one is supported");
  }
  module->table.set_text(module->data.text, module->data.text_end);
  return *module;
}

}  // namespace mapscope
