// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/found_place.h"

#include <algorithm>
#include <array>

namespace mapscope {
namespace {

std::span<const ms_field> fields_of(const ms_descriptor& descriptor) {
  return std::span(descriptor.fields).first(descriptor.field_count);
}

uint8_t wire_register(Register reg) {
  static constexpr std::array<ms_register, 16> kWire = {
      MS_REG_AX, MS_REG_CX, MS_REG_DX,  MS_REG_BX,  MS_REG_SP,  MS_REG_BP,  MS_REG_SI,  MS_REG_DI,
      MS_REG_R8, MS_REG_R9, MS_REG_R10, MS_REG_R11, MS_REG_R12, MS_REG_R13, MS_REG_R14, MS_REG_R15};
  return static_cast<uint8_t>(kWire.at(static_cast<size_t>(reg)));
}

}  // namespace

bool asks_for_found(const ms_descriptor& descriptor) {
  const auto fields = fields_of(descriptor);
  return std::any_of(fields.begin(), fields.end(),
                     [](const ms_field& field) { return field.reg == MS_REG_FOUND; });
}

bool can_reach(const ms_descriptor& descriptor, const Place& place) {
  if (place.reg != Register::kNone) return true;
  const auto fields = fields_of(descriptor);
  return std::none_of(fields.begin(), fields.end(), [](const ms_field& field) {
    return field.reg == MS_REG_FOUND && field.derefs == MS_MAX_DEREFS;
  });
}

void put_place(const Place& place, ms_descriptor* descriptor) {
  for (uint8_t i = 0; i < descriptor->field_count; ++i) {
    ms_field& field = descriptor->fields[i];
    if (field.reg != MS_REG_FOUND) continue;
    if (place.reg != Register::kNone) {
      field.reg = wire_register(place.reg);
      continue;
    }
    field.reg = MS_REG_SP;
    field.offset[1] = field.offset[0];
    field.offset[0] = place.stack_offset;
    if (field.derefs++ == 0) field.size = sizeof(uint64_t);
  }
}

bool is_inside(std::span<const GoInlinedCode> within, uint64_t vaddr) {
  return within.empty() || std::any_of(within.begin(), within.end(), [&](const GoInlinedCode& in) {
           return vaddr >= in.begin && vaddr < in.end;
         });
}

}  // namespace mapscope
