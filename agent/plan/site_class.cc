// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/site_class.h"

#include <algorithm>
#include <array>

namespace mapscope {
namespace {

constexpr uint8_t kTwoByte = 0x0f;
constexpr size_t kCallBytes = 5;

template <size_t kCount>
bool contains(const std::array<uint8_t, kCount>& set, uint8_t value) {
  return std::find(set.begin(), set.end(), value) != set.end();
}

// Segment overrides and lock; 64 and 65 (fs, gs) are fine.
bool has_refused_prefix(const Instruction& in) {
  static constexpr std::array<uint8_t, 5> kRefused = {0x26, 0x2e, 0x36, 0x3e, 0xf0};
  return std::any_of(kRefused.begin(), kRefused.end(), [&](uint8_t p) { return in.has_prefix(p); });
}

bool has_refused_opcode(const Instruction& in) {
  // int3, int, iret, int1, hlt, cli, sti, port I/O, moves to segment registers, and what 64-bit
  // mode has not. AVX (62, c4, c5), which newer kernels take, is left out: it never is the
  // cheapest.
  static constexpr std::array<uint8_t, 40> kRefused = {
      0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62,
      0x6c, 0x6d, 0x6e, 0x6f, 0x82, 0x8e, 0x9a, 0xc4, 0xc5, 0xcc, 0xcd, 0xce, 0xcf, 0xd4,
      0xd5, 0xd6, 0xe4, 0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xed, 0xee, 0xef, 0xf1};
  static constexpr std::array<uint8_t, 3> kPrivileged = {0xf4, 0xfa, 0xfb};
  // System instructions, ud2, and the three-byte maps 38 and 3a.
  static constexpr std::array<uint8_t, 17> kRefusedTwoByte = {0x00, 0x01, 0x05, 0x06, 0x07, 0x08,
                                                              0x09, 0x0b, 0x30, 0x34, 0x35, 0x37,
                                                              0x38, 0x3a, 0x78, 0x79, 0xae};
  if (in.opcode() == kTwoByte) return contains(kRefusedTwoByte, in.opcode(1));
  return contains(kRefused, in.opcode()) || contains(kPrivileged, in.opcode());
}

bool is_exactly(const Instruction& in, std::initializer_list<uint8_t> bytes) {
  return in.length == bytes.size() && std::equal(bytes.begin(), bytes.end(), in.bytes.begin());
}

// The long nops that 6.18 emulates; before, only 90 with any prefixes.
bool is_emulated_long_nop(const Instruction& in) {
  return is_exactly(in, {0x0f, 0x1f, 0x00}) || is_exactly(in, {0x0f, 0x1f, 0x40, 0x00}) ||
         is_exactly(in, {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00}) ||
         is_exactly(in, {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00}) ||
         is_exactly(in, {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00});
}

bool is_relative_branch(const Instruction& in) {
  const uint8_t op = in.opcode();
  if (op == kTwoByte) return (in.opcode(1) & 0xf0) == 0x80;
  return op == 0xe8 || op == 0xe9 || op == 0xeb || (op & 0xf0) == 0x70;
}

bool is_push_register(const Instruction& in) {
  const bool plain = in.length == 1 || (in.length == 2 && in.bytes[0] == 0x41);
  return plain && (in.opcode() & 0xf8) == 0x50;
}

Error refused(const Instruction& in, const std::string& why) {
  return {ErrorKind::kUnsupported, "`" + in.text + "` " + why};
}

}  // namespace

Result<SiteClass> site_class(const Instruction& in, const KernelFacts& kernel) {
  if (has_refused_prefix(in) || has_refused_opcode(in)) return refused(in, "is not for probes");
  if (is_relative_branch(in) && in.has_prefix(0x66)) return refused(in, "is not for probes");
  if (in.is_nop && in.length == kCallBytes)
    return refused(in, "would become a call, of which a forked child dies");
  const bool emulated = (in.is_nop && in.opcode() == 0x90) || is_push_register(in) ||
                        is_relative_branch(in) ||
                        (kernel.emulates_long_nops() && is_emulated_long_nop(in));
  return emulated ? SiteClass::kEmulated : SiteClass::kSingleStepped;
}

std::string_view to_string(SiteClass site_class) {
  switch (site_class) {
    case SiteClass::kEmulated:
      return "emulated";
    case SiteClass::kSingleStepped:
      return "single_stepped";
  }
  return "";
}

}  // namespace mapscope
