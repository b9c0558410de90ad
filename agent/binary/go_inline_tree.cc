// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_inline_tree.h"

namespace mapscope {
namespace {

constexpr uint32_t kIndexTable = 2;  // PCDATA_InlTreeIndex
constexpr uint8_t kTreeGo12 = 4;     // FUNCDATA_InlTree
constexpr uint8_t kTree = 3;
constexpr uint32_t kNone = UINT32_MAX;

// The tree's address; 0 without one.
uint64_t tree_of(const ImageBytes& bytes, const GoModule& module, const GoFunctionRecord& record) {
  const PclntabFormat format = module.table.format();
  const uint8_t number = format == PclntabFormat::kGo12 ? kTreeGo12 : kTree;
  if (number >= record.nfuncdata) return 0;
  if (format < PclntabFormat::kGo118) {
    return bytes.load<uint64_t>(record.func_data + uint64_t{number} * 8).value_or(0);
  }
  const uint32_t offset =
      bytes.load<uint32_t>(record.func_data + uint64_t{number} * 4).value_or(kNone);
  return offset == kNone ? 0 : module.data.function_data + offset;
}

}  // namespace

GoInlineTree::GoInlineTree(const ImageBytes& bytes, const GoModule& module,
                           const GoFunctionRecord& record)
    : bytes_(&bytes),
      table_(&module.table),
      entry_(record.entry),
      has_parents_(module.table.format() < PclntabFormat::kGo120) {
  calls_ = tree_of(bytes, module, record);
  if (calls_ == 0 || kIndexTable >= record.npcdata) return;
  indices_ = bytes.load<uint32_t>(record.pc_data + uint64_t{kIndexTable} * 4).value_or(0);
}

std::optional<uint32_t> GoInlineTree::call_at(uint64_t pc, PcWork* work) const {
  const auto index = pc_value(*bytes_, *table_, indices_, entry_, pc, work);
  if (!index || *index < 0) return std::nullopt;
  return static_cast<uint32_t>(*index);
}

// With parents: i16 parent, u8, u8, i32 file, i32 line, i32 name, i32 pc. Without: u8, padding, i32
// name, i32 pc, i32 first line.
std::optional<GoInlinedCall> GoInlineTree::call(uint32_t index) const {
  const uint64_t at = calls_ + uint64_t{index} * (has_parents_ ? 20 : 16);
  const auto name = bytes_->load<uint32_t>(at + (has_parents_ ? 12 : 4));
  const auto parent = bytes_->load<int32_t>(at + (has_parents_ ? 16 : 8));
  if (calls_ == 0 || !name || !parent || *parent < 0) return std::nullopt;
  return GoInlinedCall{*name, entry_ + static_cast<uint32_t>(*parent)};
}

std::vector<PcRange> GoInlineTree::ranges(PcWork* work) const {
  std::vector<PcRange> found;
  PcValues values(*bytes_, *table_, indices_, entry_, work);
  while (const auto range = values.next()) {
    if (found.size() == kMaxRanges) break;
    if (range->value >= 0) found.push_back(*range);
  }
  return found;
}

}  // namespace mapscope
