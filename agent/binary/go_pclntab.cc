// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_pclntab.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace mapscope {
namespace {

constexpr uint64_t kHeaderBytes = 8;
constexpr uint8_t kQuantum = 1;  // of x86
constexpr uint8_t kPointerBytes = 8;
constexpr uint32_t kNoFile = UINT32_MAX;
constexpr size_t kMaxPathBytes = 4096;

// Where the fields of _func are. The names of the fields are those of the runtime.
struct RecordLayout {
  uint32_t nameoff;
  uint32_t pcsp;
  uint32_t npcdata;
  uint32_t cu_offset;  // 0: none
  uint32_t nfuncdata;
  uint32_t bytes;  // pcdata follows
};

constexpr size_t kMaxRecordBytes = 44;

// Also in each: pcfile and pcln, behind pcsp.
constexpr RecordLayout layout_of(PclntabFormat format) {
  switch (format) {
    case PclntabFormat::kGo12:
      return {8, 20, 32, 0, 39, 40};
    case PclntabFormat::kGo116:
      return {8, 20, 32, 36, 43, 44};
    case PclntabFormat::kGo118:
      return {4, 16, 28, 32, 39, 40};
    case PclntabFormat::kGo120:
      break;
  }
  return {4, 16, 28, 32, 43, 44};
}

template <typename T>
T load(const std::array<std::byte, kMaxRecordBytes>& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

}  // namespace

std::optional<PclntabFormat> GoPclntab::format_of_magic(uint32_t magic) {
  switch (magic) {
    case 0xfffffffb:
      return PclntabFormat::kGo12;
    case 0xfffffffa:
      return PclntabFormat::kGo116;
    case 0xfffffff0:
      return PclntabFormat::kGo118;
    case 0xfffffff1:
      return PclntabFormat::kGo120;
    default:
      return std::nullopt;
  }
}

std::optional<GoPclntab> GoPclntab::read(const ImageBytes& bytes, uint64_t vaddr,
                                         uint64_t max_bytes) {
  const auto header = bytes.load<uint64_t>(vaddr);
  if (!header) return std::nullopt;
  const auto format = format_of_magic(static_cast<uint32_t>(*header));
  if (!format || *header >> 32 != (uint64_t{kPointerBytes} << 24 | uint64_t{kQuantum} << 16)) {
    return std::nullopt;
  }
  GoPclntab table(bytes);
  table.format_ = *format;
  table.vaddr_ = vaddr;
  table.end_ = vaddr + std::min(max_bytes, bytes.available(vaddr));
  const bool read = *format == PclntabFormat::kGo12 ? table.read_go12() : table.read_go116();
  if (!read) return std::nullopt;
  return table;
}

// Everything is relative to the start of the table.
bool GoPclntab::read_go12() {
  names_ = pc_values_ = records_ = vaddr_;
  functions_ = vaddr_ + 16;
  if (!read_functions()) return false;
  const uint64_t table_end = functions_ + count_ * entry_bytes() + kPointerBytes;
  const auto files = bytes_->load<uint32_t>(table_end);
  if (!files || *files >= end_ - vaddr_) return false;
  files_ = vaddr_ + *files;
  return true;
}

bool GoPclntab::read_go116() {
  uint64_t at = vaddr_ + kHeaderBytes + 2 * uint64_t{kPointerBytes};
  if (has_relative_entries()) {
    header_text_ = bytes_->load<uint64_t>(at).value_or(0);
    at += kPointerBytes;
  }
  // In this order in every version, so that each ends where the next starts.
  uint64_t previous = at + 5 * uint64_t{kPointerBytes} - vaddr_;
  for (uint64_t* part : {&names_, &units_, &files_, &pc_values_, &functions_}) {
    const auto offset = bytes_->load<uint64_t>(at);
    at += kPointerBytes;
    if (!offset || *offset < previous || *offset >= end_ - vaddr_) return false;
    previous = *offset;
    *part = vaddr_ + *offset;
  }
  records_ = functions_;
  return read_functions();
}

bool GoPclntab::read_functions() {
  const auto count = bytes_->load<uint64_t>(vaddr_ + kHeaderBytes);
  if (!count || *count == 0 || *count > kMaxFunctions || functions_ >= end_) return false;
  count_ = *count;
  return (count_ + 1) * entry_bytes() <= end_ - functions_;
}

void GoPclntab::set_text(uint64_t text, uint64_t text_end) {
  text_ = text;
  text_end_ = text_end;
}

std::optional<uint64_t> GoPclntab::entry(size_t index) const {
  if (index == count_) return text_end_;
  if (index > count_) return std::nullopt;
  const uint64_t at = functions_ + index * entry_bytes();
  if (!has_relative_entries()) return bytes_->load<uint64_t>(at);
  const auto offset = bytes_->load<uint32_t>(at);
  if (!offset) return std::nullopt;
  return text_ + *offset;
}

std::optional<size_t> GoPclntab::find(uint64_t pc) const {
  if (pc >= text_end_) return std::nullopt;
  size_t low = 0;
  size_t high = count_;  // the first entry above pc is in (low, high]
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    const auto start = entry(middle);
    if (!start) return std::nullopt;
    (*start <= pc ? low : high) = middle;
  }
  const auto start = entry(low);
  if (!start || pc < *start) return std::nullopt;
  return low;
}

std::optional<GoFunctionRecord> GoPclntab::record(size_t index) const {
  const auto start = entry(index);
  if (index >= count_ || !start) return std::nullopt;
  const uint64_t offset_at = functions_ + index * entry_bytes() + entry_bytes() / 2;
  std::optional<uint64_t> offset = bytes_->load<uint64_t>(offset_at);
  if (has_relative_entries()) offset = bytes_->load<uint32_t>(offset_at);
  const RecordLayout layout = layout_of(format_);
  if (!offset || *offset >= end_ - records_ || end_ - records_ - *offset < layout.bytes) {
    return std::nullopt;
  }
  const uint64_t at = records_ + *offset;
  std::array<std::byte, kMaxRecordBytes> bytes{};
  if (bytes_->read(at, std::span(bytes).first(layout.bytes)) != layout.bytes) return std::nullopt;
  GoFunctionRecord record;
  record.entry = *start;
  record.name = load<uint32_t>(bytes, layout.nameoff);
  record.pcsp = load<uint32_t>(bytes, layout.pcsp);
  record.pcfile = load<uint32_t>(bytes, layout.pcsp + 4);
  record.pcln = load<uint32_t>(bytes, layout.pcsp + 8);
  record.npcdata = load<uint32_t>(bytes, layout.npcdata);
  if (layout.cu_offset != 0) record.compilation_unit = load<uint32_t>(bytes, layout.cu_offset);
  record.nfuncdata = load<uint8_t>(bytes, layout.nfuncdata);
  record.pc_data = at + layout.bytes;
  record.func_data = record.pc_data + uint64_t{record.npcdata} * 4;
  if (!has_relative_entries()) record.func_data = (record.func_data + 7) / 8 * 8;
  return record;
}

std::optional<std::string> GoPclntab::text(uint64_t base, uint64_t offset) const {
  if (offset >= end_ - base) return std::nullopt;
  const size_t limit = base == files_ ? kMaxPathBytes : kMaxNameBytes;
  auto found = bytes_->text(base + offset, std::min<uint64_t>(limit, end_ - base - offset));
  if (!found || found->empty()) return std::nullopt;
  return found;
}

std::optional<std::string> GoPclntab::name(uint32_t offset) const { return text(names_, offset); }

std::optional<std::string> GoPclntab::file(const GoFunctionRecord& record, uint32_t number) const {
  if (format_ == PclntabFormat::kGo12) {
    const auto offset = bytes_->load<uint32_t>(files_ + uint64_t{number} * 4);
    if (!offset || number == 0) return std::nullopt;
    return text(vaddr_, *offset);
  }
  const uint64_t at = units_ + (uint64_t{record.compilation_unit} + number) * 4;
  const auto offset = at < files_ ? bytes_->load<uint32_t>(at) : std::nullopt;
  if (!offset || *offset == kNoFile) return std::nullopt;
  return text(files_, *offset);
}

}  // namespace mapscope
