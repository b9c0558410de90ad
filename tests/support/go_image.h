// SPDX-License-Identifier: Apache-2.0
// tests/support/go_image.h – a small Go program made byte by byte, in every format of its tables,
// so that a test knows each byte and can spoil it.
//
// It holds three functions: main.main, into which main.outer was inlined, and main.inner into that;
// what grows maps, of which nothing is known but its name; runtime.newproc1. And the type
// map[string]int. It does not run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "agent/binary/go_pclntab.h"
#include "tests/support/image_file.h"

namespace mapscope::test {

struct GoImage {
  static constexpr uint64_t kBase = 0x400000;  // link-time address of offset 0
  static constexpr uint64_t kText = kBase + 0x1000;
  static constexpr uint64_t kMain = kText, kGrowth = kText + 0x80, kNewproc1 = kText + 0xc0;
  static constexpr uint64_t kTextEnd = kText + 0x100;

  Bytes bytes;
  std::string growth;  // name of what grows maps: decides which kind the program has
  // Offsets in the file.
  size_t segments = 0;  // program headers: one of code and all, one writable
  size_t build_info = 0;
  size_t pclntab = 0;
  size_t names = 0;
  size_t pc_values = 0;
  size_t functions = 0;  // functab
  size_t main_record = 0;
  size_t inline_tree = 0;  // of main.main: main.outer, main.inner
  size_t inline_entry_bytes = 0;
  size_t map_type = 0;
  size_t module_data = 0;
  // Offsets of pc-value tables of main.main, from pc_values.
  uint32_t pcsp = 0, pcfile = 0, pcln = 0, inline_indices = 0;

  template <typename T>
  void put(size_t offset, T value) {
    put_bytes(offset, &value, sizeof(value));
  }
  void put_bytes(size_t offset, const void* value, size_t size);
  [[nodiscard]] static uint64_t vaddr(size_t offset) { return kBase + offset; }
};

// Of its functions, in the order of their code, and of the calls inlined into the first.
struct GoNames {
  std::string main = "main.main";
  std::string outer = "main.outer";
  std::string inner = "main.inner";
  std::string growth;  // "": what grows maps in that version
  std::string last = "runtime.newproc1";
};

// A version of each layout of the tables.
inline constexpr std::pair<PclntabFormat, const char*> kGoFormats[] = {
    {PclntabFormat::kGo12, "go1.15.15"},  {PclntabFormat::kGo116, "go1.16.3"},
    {PclntabFormat::kGo116, "go1.17.2"},  {PclntabFormat::kGo118, "go1.19.8"},
    {PclntabFormat::kGo120, "go1.21.13"}, {PclntabFormat::kGo120, "go1.23.5"},
    {PclntabFormat::kGo120, "go1.25.12"}, {PclntabFormat::kGo120, "go1.26.11"},
    {PclntabFormat::kGo120, "go1.27.4"}};

// `version`: "go1.24.4", of a version that writes this format.
GoImage make_go_image(PclntabFormat format, const std::string& version, GoNames names = {});

}  // namespace mapscope::test
