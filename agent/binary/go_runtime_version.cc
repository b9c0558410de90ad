// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_runtime_version.h"

#include <cstring>
#include <optional>

#include "agent/binary/go_build_info.h"
#include "agent/binary/instruction.h"

namespace mapscope {
namespace {

constexpr uint64_t kMaxCodeBytes = 64 << 10;
constexpr uint64_t kMaxVersionBytes = 256;
constexpr uint64_t kLengthAt = 8;  // in a Go string: address, length

// What an instruction of one opcode byte addresses relative to the next one.
std::optional<uint64_t> relative_address(const Instruction& instruction) {
  constexpr uint8_t kMode = 0xc7;
  constexpr uint8_t kRelative = 0x05;
  const size_t at = instruction.opcode_at + 2U;
  if ((instruction.opcode(1) & kMode) != kRelative || at + 4 > instruction.length) {
    return std::nullopt;
  }
  int32_t displacement;
  std::memcpy(&displacement, instruction.bytes.data() + at, sizeof(displacement));
  return instruction.vaddr + instruction.length + static_cast<uint64_t>(int64_t{displacement});
}

std::string version_in(const ImageBytes& bytes, uint64_t variable) {
  const auto text = bytes.load<uint64_t>(variable);
  const auto length = bytes.load<uint64_t>(variable + kLengthAt);
  if (!text || !length || *length > kMaxVersionBytes) return "";
  std::string version(*length, '\0');
  const size_t read = bytes.read(*text, std::as_writable_bytes(std::span(version)));
  return read == *length && parse_go_version(version) ? version : "";
}

}  // namespace

std::string read_runtime_version(const ElfImage& image, const ImageBytes& bytes, uint64_t vaddr,
                                 uint64_t size) {
  if (size > kMaxCodeBytes) return "";
  const auto code = disassemble(image.code(vaddr, size), vaddr);
  if (!code) return "";
  for (const Instruction& instruction : *code) {
    const auto address = relative_address(instruction);
    // It compares the length first.
    std::string version = address ? version_in(bytes, *address - kLengthAt) : "";
    if (!version.empty()) return version;
  }
  return "";
}

}  // namespace mapscope
