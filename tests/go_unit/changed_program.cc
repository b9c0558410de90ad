// SPDX-License-Identifier: Apache-2.0
#include "tests/go_unit/changed_program.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "agent/binary/instruction.h"

namespace mapscope::test {
namespace {

[[noreturn]] void give_up(std::string_view what) {
  std::fprintf(stderr, "no %.*s in the program\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

Bytes::iterator find(Bytes& file, Bytes::iterator from, std::string_view text) {
  return std::search(from, file.end(), text.begin(), text.end(),
                     [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); });
}

}  // namespace

Bytes with_version(Bytes file, std::string_view from, std::string_view to) {
  if (from.size() != to.size()) give_up("version of that length");
  auto at = find(file, file.begin(), from);
  if (at == file.end()) give_up(from);
  for (; at != file.end(); at = find(file, at, from)) std::copy(to.begin(), to.end(), at);
  return file;
}

Bytes with_newer_version(Bytes file) { return with_version(std::move(file), "go1.27", "go1.28"); }

Bytes without_settings(Bytes file) {
  constexpr std::string_view kMagic = "\xff Go buildinf:";
  constexpr size_t kHeaderBytes = 32;
  auto at = find(file, file.begin(), kMagic);
  if (at == file.end()) give_up("build info");
  at += kHeaderBytes;
  at += 1 + *at;  // the version, of less than 128 bytes
  // A length of several bytes that is 0.
  for (; (*at & 0x80) != 0; ++at) *at = 0x80;
  *at = 0;
  return file;
}

Bytes with_displacement(Bytes file, const Program& program, std::string_view function,
                        std::string_view text, int displacement) {
  const auto code = read_function(program, function);
  if (!code) give_up(function);
  bool found = false;
  for (const Instruction& in : code->code) {
    if (in.text.find(text) == std::string::npos) continue;
    const size_t offset = program.elf.file_offset(in.vaddr).value();
    // Behind the opcode, of one byte or two, and what names the registers.
    size_t at = in.opcode_at + (in.opcode() == 0x0f ? 3U : 2U);
    const uint8_t mode = in.bytes[at - 1];
    if ((mode & 7) == 4) ++at;
    if (mode >> 6 == 2) {
      const int32_t wide = displacement;
      std::memcpy(file.data() + offset + at, &wide, sizeof(wide));
    } else {
      file[offset + at] = static_cast<uint8_t>(displacement);
    }
    found = true;
  }
  if (!found) give_up(text);
  return file;
}

}  // namespace mapscope::test
