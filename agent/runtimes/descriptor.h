// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/descriptor.h – words for writing a room's probe table as constexpr data.
//
//   descriptor(MS_PROBE_BEGIN, {reg(MS_REG_DI), deref(MS_REG_SI, 8, 8), deref(MS_REG_SI, 40,
//   8)}).key(0).text(2)
//
// A mistake (too many fields, a field that does not exist, a size that cannot be read) does not
// compile.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "bpf/wire.h"

namespace mapscope {

// The register's value.
consteval ms_field reg(ms_register r) { return {static_cast<uint8_t>(r), 0, 8, 0, {}}; }

// `size` bytes at r + offset, zero-extended.
consteval ms_field deref(ms_register r, int32_t offset, uint8_t size) {
  if (size != 1 && size != 2 && size != 4 && size != 8) throw "size is 1, 2, 4 or 8";
  return {static_cast<uint8_t>(r), 1, size, 0, {offset, 0}};
}

// The last `size` bytes at *(r + first) + second.
consteval ms_field deref2(ms_register r, int32_t first, int32_t second, uint8_t size) {
  if (size != 1 && size != 2 && size != 4 && size != 8) throw "size is 1, 2, 4 or 8";
  return {static_cast<uint8_t>(r), 2, size, 0, {first, second}};
}

// A descriptor under construction; converts to what goes over the wire.
class Descriptor {
 public:
  consteval Descriptor(ms_probe_kind kind, std::initializer_list<ms_field> fields) {
    if (fields.size() > MS_MAX_FIELDS) throw "too many fields";
    wire_.kind = static_cast<uint8_t>(kind);
    wire_.key_field = wire_.text_field = wire_.length_field = MS_NO_FIELD;
    wire_.zero_field = MS_NO_FIELD;
    wire_.flags = MS_AT_ENTRY;
    for (const ms_field& field : fields) wire_.fields[wire_.field_count++] = field;
  }
  // The field that pairs begin and end; without one it is the thread.
  [[nodiscard]] consteval Descriptor key(uint8_t field) const {
    return with(&ms_descriptor::key_field, field);
  }
  // The field that points to NUL-terminated characters.
  [[nodiscard]] consteval Descriptor text(uint8_t field) const {
    return with(&ms_descriptor::text_field, field);
  }
  // The field that holds the length of the text.
  [[nodiscard]] consteval Descriptor length(uint8_t field) const {
    return with(&ms_descriptor::length_field, field);
  }
  // The field that must be 0 for a hit to count.
  [[nodiscard]] consteval Descriptor only_if_zero(uint8_t field) const {
    return with(&ms_descriptor::zero_field, field);
  }
  // Likewise, that must not be 0.
  [[nodiscard]] consteval Descriptor only_if_set(uint8_t field) const {
    Descriptor copy = with(&ms_descriptor::zero_field, field);
    copy.wire_.flags |= MS_IF_SET;
    return copy;
  }
  // An end without a begin is normal.
  [[nodiscard]] consteval Descriptor quiet() const {
    Descriptor copy = *this;
    copy.wire_.flags |= MS_QUIET;
    return copy;
  }

  // NOLINTNEXTLINE(google-explicit-constructor): a table of probes holds wire descriptors.
  consteval operator ms_descriptor() const { return wire_; }

 private:
  [[nodiscard]] consteval Descriptor with(uint8_t ms_descriptor::*role, uint8_t field) const {
    if (field >= wire_.field_count) throw "no such field";
    Descriptor copy = *this;
    copy.wire_.*role = field;
    return copy;
  }

  ms_descriptor wire_{};
};

consteval Descriptor descriptor(ms_probe_kind kind, std::initializer_list<ms_field> fields) {
  return {kind, fields};
}

}  // namespace mapscope
