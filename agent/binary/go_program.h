// SPDX-License-Identifier: Apache-2.0
// agent/binary/go_program.h – what a Go program says about itself: version, functions, inlined
// calls, lines, stack depths, map types. Neither symbols nor DWARF are needed.
//
// In:      an ELF image that somebody hostile may have written and may be changing.
// How:     the runtime's own tables (build info, pclntab, moduledata, types), Go 1.15 to 1.27; read
//          by pread in blocks when asked for, because a mapped file that shrinks kills the reader.
//          Words of position-independent files are read with their relocations applied.
// Errors:  kUnsupported (a Go program beyond what was checked), kCorrupt (tables that contradict
//          each other or the file). A look-up that meets a contradiction finds nothing.
// Limits:  every count and length is bounded by the bytes there are; a look-up takes bounded time.
// Threads: any; look-ups take turns.   Owns: a duplicate of the descriptor.
// Addresses are link-time ones, as in the file.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/binary/elf_image.h"

namespace mapscope {

struct GoVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 means the 0 that <=> is compared with
  auto operator<=>(const GoVersion&) const = default;
};

struct GoBuild {
  std::string text;  // "go1.27.4", as the linker wrote it; "" unknown
  // 0.0.0 when the text is unknown or names no release ("devel +2b1d3a7c").
  GoVersion version;
  std::vector<std::string> experiments;  // "noswissmap"; those that differ from the default
  std::string main_module;               // its path, or that of the main package; "" unknown
  std::string profile;  // the file of -pgo, "" when built without; its presence means inlining
  bool has_settings = false;  // go build's own; without them what is missing above is unknown

  // Whether the compiler may have inlined what it does not inline without a profile. Absent
  // settings (Bazel, a -toolexec, removed build info) say nothing of it.
  [[nodiscard]] bool may_have_profile() const;
};

struct GoFunction {
  std::string name;  // as in the pclntab, with its type parameters
  uint64_t vaddr = 0;
  uint64_t size = 0;  // up to the next function, padding included
};

// Code: [begin, end).
struct GoText {
  uint64_t begin = 0;
  uint64_t end = 0;
};

// One line of a traceback.
struct GoFrame {
  std::string function;
  std::string file;   // "" unknown
  uint32_t line = 0;  // 0 unknown
};

// Code of one function inside another: [begin, end). A call may have several ranges; they hold the
// calls inlined into it, which are listed on their own as well.
struct GoInlinedCode {
  std::string function;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct GoMapType {
  std::string name;        // "map[string]*main.Session"
  uint64_t key_bytes = 0;  // of a key as the program sees it
  uint64_t elem_bytes = 0;
  uint64_t group_bytes = 0;  // of 8 slots: a bucket, or a group with its control word
  bool group_has_pointers = true;
};

class GoProgram {
 public:
  // nullopt: not a Go program. The image may go afterwards.
  static Result<std::optional<GoProgram>> open(const ElfImage& image);

  GoProgram(GoProgram&&) noexcept;
  GoProgram& operator=(GoProgram&&) noexcept;
  GoProgram(const GoProgram&) = delete;
  GoProgram& operator=(const GoProgram&) = delete;
  ~GoProgram();

  [[nodiscard]] const GoBuild& build() const;
  [[nodiscard]] size_t function_count() const;
  // By exact name. Fast: the first call reads all names once.
  [[nodiscard]] std::optional<GoFunction> find_function(std::string_view name) const;
  // Those whose names start with one of `prefixes`, by address, at most `max_functions`. Reads all
  // names.
  [[nodiscard]] std::vector<GoFunction> functions(std::span<const std::string_view> prefixes,
                                                  size_t max_functions) const;
  // All of its code.
  [[nodiscard]] GoText text() const;
  // That of the functions whose names are `wanted`, by address, neighbours in one. Reads all names.
  [[nodiscard]] std::vector<GoText> text_of(
      const std::function<bool(const std::string&)>& wanted) const;
  // The function whose code holds this address.
  [[nodiscard]] std::optional<GoFunction> function_at(uint64_t vaddr) const;
  // Innermost inlined call first, the function itself last; empty when no function holds it. For a
  // return address ask for the byte before.
  [[nodiscard]] std::vector<GoFrame> frames(uint64_t vaddr) const;
  // Bytes between the stack pointer and the return address at an instruction (pcsp); nullopt
  // unknown.
  [[nodiscard]] std::optional<uint64_t> stack_depth(uint64_t vaddr) const;
  // What was inlined into a function, by address; outer calls before those in them.
  [[nodiscard]] std::vector<GoInlinedCode> inlined_code(const GoFunction& function) const;
  // Of a type descriptor in the program's own types; nullopt when it is no map type, or was made at
  // run time.
  [[nodiscard]] std::optional<GoMapType> map_type(uint64_t type_vaddr) const;
  // Every map type of the program, by address; at most `max_types`.
  [[nodiscard]] std::vector<uint64_t> map_types(size_t max_types) const;
  // Whether type descriptors are read right: the name of a map type must be made of the names of
  // its key and element, and the size of its groups of theirs. Errors: kUnsupported, label
  // go_layout: one contradicts itself, or there is none to see it from.
  [[nodiscard]] Status check_map_types() const;

 private:
  struct Impl;
  explicit GoProgram(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Where the fields of the runtime's g and m are, in bytes. stack.lo is at 0, stack.hi at 8 and m at
// 48 in every version.
struct GoroutineLayout {
  uint16_t status = 0;        // u32 atomicstatus
  uint16_t goid = 0;          // u64
  uint16_t start_pc = 0;      // u64
  uint16_t m_id = 0;          // s64, in m
  uint16_t m_curg = 0;        // pointer, in m
  uint16_t m_p = 0;           // pointer, in m
  bool g_in_register = true;  // R14 (1.17 and later); otherwise at %fs:-8
};

// By DWARF where the program has it, otherwise by version, in both cases held against what
// runtime.newproc1 stores. One newer than what was checked is taken for the newest checked one, and
// held against more of the runtime's code. Errors: kUnsupported, label go_layout, when that
// disagrees or the version is unknown; the text says which.
Result<GoroutineLayout> goroutine_layout(const ElfImage& image, const GoProgram& program);

}  // namespace mapscope
