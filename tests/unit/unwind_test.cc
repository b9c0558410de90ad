// SPDX-License-Identifier: Apache-2.0
// Stacks and files as they should not be: cut off, made up, corrupt, or changed while in use.
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
// How g++ and how clang++ tell that they build with AddressSanitizer.
#if defined(__SANITIZE_ADDRESS__)
#define MAPSCOPE_LEAKS_ARE_LOOKED_FOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAPSCOPE_LEAKS_ARE_LOOKED_FOR
#endif
#endif
#ifdef MAPSCOPE_LEAKS_ARE_LOOKED_FOR
#include <sanitizer/lsan_interface.h>
#endif

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "agent/symbolize/module.h"
#include "agent/symbolize/symbolizer.h"
#include "agent/symbolize/unwinder.h"
#include "tests/paths.h"
#include "tests/support/stack_program.h"

namespace mapscope::test {
namespace {

using Bytes = std::vector<char>;

constexpr uint64_t kBase = 0x7f0000000000;  // where the tests pretend that a file is mapped
constexpr uint64_t kMaxDebugBytes = 64U << 20;

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

UniqueFd file_of(const Bytes& bytes) {
  UniqueFd fd(::memfd_create("unwind_test", MFD_CLOEXEC));
  if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  return fd;
}

// Where a file says that its code belongs, as the loader would map it at kBase.
ExecutableMapping mapping_of(const Bytes& file) {
  Elf64_Ehdr header{};
  std::memcpy(&header, file.data(), sizeof(header));
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, file.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    return {kBase + segment.p_vaddr,
            kBase + segment.p_vaddr + segment.p_memsz,
            segment.p_offset,
            1,
            1,
            "/file"};
  }
  std::abort();
}

// Those with contents in the file.
std::vector<Elf64_Shdr> sections_of(const Bytes& file) {
  Elf64_Ehdr header{};
  std::memcpy(&header, file.data(), sizeof(header));
  std::vector<Elf64_Shdr> sections;
  for (size_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section{};
    std::memcpy(&section, file.data() + header.e_shoff + i * sizeof(section), sizeof(section));
    if (section.sh_type != SHT_NOBITS && section.sh_size > 0) sections.push_back(section);
  }
  return sections;
}

// A record whose registers and stack are full of addresses in the mapping.
ms_stack_record made_up_record(const ExecutableMapping& mapping, std::mt19937_64& random) {
  ms_stack_record record{};
  const uint64_t code_bytes = mapping.end - mapping.start;
  for (uint64_t& value : record.registers) value = random();
  record.registers[MS_REG_IP] = mapping.start + random() % code_bytes;
  record.registers[MS_REG_SP] = kBase + (1U << 30);
  record.registers[MS_REG_BP] = record.registers[MS_REG_SP] + random() % 256 * 8;
  record.stack_bytes = MS_STACK_BYTES;
  for (size_t at = 0; at < MS_STACK_BYTES; at += 8) {
    const uint64_t word = random() % 2 == 0 ? mapping.start + random() % code_bytes
                                            : record.registers[MS_REG_SP] + random() % 4096 / 8 * 8;
    std::memcpy(record.stack + at, &word, sizeof(word));
  }
  return record;
}

// libelf and libdw lose some of what they had allocated when they give up on a corrupt file.
class LibraryLeaksAllowed {
 public:
  LibraryLeaksAllowed() { set(true); }
  ~LibraryLeaksAllowed() { set(false); }
  LibraryLeaksAllowed(const LibraryLeaksAllowed&) = delete;
  LibraryLeaksAllowed& operator=(const LibraryLeaksAllowed&) = delete;
  LibraryLeaksAllowed(LibraryLeaksAllowed&&) = delete;
  LibraryLeaksAllowed& operator=(LibraryLeaksAllowed&&) = delete;

 private:
  static void set([[maybe_unused]] bool allowed) {
#ifdef MAPSCOPE_LEAKS_ARE_LOOKED_FOR
    allowed ? __lsan_disable() : __lsan_enable();
#endif
  }
};

// Unwinds and names as much as it can of a file mapped at `mapping`; returns the number of frames
// seen.
size_t exercise(UniqueFd fd, const ExecutableMapping& mapping, std::mt19937_64& random) {
  std::vector<std::unique_ptr<Module>> modules;
  auto module = Module::open(mapping, std::move(fd));
  if (!module) return 0;
  modules.push_back(std::move(*module));
  auto unwinder = Unwinder::create(modules);
  const UniqueFd no_root;
  size_t seen = 0;
  constexpr size_t kMaxFrames = 64;
  for (int i = 0; i < 20; ++i) {
    std::vector<CodeAddress> addresses;
    if (unwinder) (*unwinder)->unwind(made_up_record(mapping, random), kMaxFrames, addresses);
    EXPECT_LE(addresses.size(), kMaxFrames);
    addresses.push_back({mapping.start + random() % (mapping.end - mapping.start), false});
    for (const CodeAddress& address : addresses) {
      std::vector<Frame> frames;
      modules[0]->append_frames(address.lookup_address(), no_root, kMaxDebugBytes, frames);
      seen += frames.size();
    }
  }
  return seen;
}

struct Scene {
  explicit Scene(const std::string& path, const std::string& mode = "chain")
      : program(path, mode), record(program.read_record()), process(program.process()) {
    target = StackProgram::target_of(process);
    auto created = Symbolizer::create();
    if (!created || !created->add_target(target, process)) std::abort();
    symbolizer = std::make_unique<Symbolizer>(std::move(*created));
  }
  size_t frames() {
    const StackPtr stack = symbolizer->resolve(target, record, target.runtime, "");
    return stack == nullptr ? 0 : stack->frames.size();
  }

  StackProgram program;
  ms_stack_record record;
  Process process;
  Target target;
  std::unique_ptr<Symbolizer> symbolizer;
};

constexpr size_t kInnermostFrames = 2;  // the function stopped in, and the call inlined into it

TEST(Unwind, NoStackLeavesTheInnermostFrame) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE);
  scene.record.stack_bytes = 0;
  EXPECT_EQ(scene.frames(), kInnermostFrames);
}

TEST(Unwind, CutStackLeavesTheFramesInIt) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "deep");
  const size_t whole = scene.frames();
  scene.record.stack_bytes = MS_STACK_CHUNK_BYTES;
  EXPECT_GT(scene.frames(), kInnermostFrames);
  EXPECT_LT(scene.frames(), whole);
}

TEST(Unwind, StackBytesBeyondTheCopyAreNotRead) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE, "deep");
  const size_t whole = scene.frames();
  scene.record.stack_bytes = UINT32_MAX;
  EXPECT_EQ(scene.frames(), whole);
}

TEST(Unwind, StackPointerAtTheEndOfMemoryIsNotRead) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE);
  scene.record.registers[MS_REG_SP] = UINT64_MAX - 7;
  EXPECT_EQ(scene.frames(), kInnermostFrames);
}

TEST(Unwind, AddressInNoFileIsUnresolved) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE);
  scene.record.registers[MS_REG_IP] = 0x1000;
  scene.record.stack_bytes = 0;
  EXPECT_EQ(scene.frames(), 0U);
  EXPECT_EQ(scene.symbolizer->counts().unresolved, 1U);
}

TEST(Unwind, GarbageRegistersAndStackEndWithinTheLimit) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_PIE);
  const uint64_t code = scene.record.registers[MS_REG_IP];
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    for (uint64_t& value : scene.record.registers) value = random();
    if (i % 2 == 0) scene.record.registers[MS_REG_IP] = code;
    scene.record.stack_bytes = static_cast<uint32_t>(random() % (MS_STACK_BYTES + 1));
    std::ranges::generate(scene.record.stack, [&] { return static_cast<uint8_t>(random()); });
    EXPECT_LE(scene.frames(), 256U);
  }
}

TEST(Unwind, FramePointerCycleEndsAtTheLimit) {
  Scene scene(MAPSCOPE_FIXTURE_STACKS_NO_TABLES);
  // A frame whose saved frame pointer is its own address and that returns to where it is.
  const std::array<uint64_t, 2> loop = {scene.record.registers[MS_REG_SP],
                                        scene.record.registers[MS_REG_IP]};
  scene.record.registers[MS_REG_BP] = scene.record.registers[MS_REG_SP];
  std::memcpy(scene.record.stack, loop.data(), sizeof(loop));
  EXPECT_GE(scene.frames(), kInnermostFrames);
  EXPECT_LE(scene.frames(), 256U);
}

TEST(Unwind, VdsoFrameIsNamed) {
  const auto mappings = read_executable_mappings(::getpid(), 4096);
  ASSERT_TRUE(mappings.ok());
  const auto vdso = std::ranges::find(*mappings, kVdsoPath, &ExecutableMapping::path);
  ASSERT_NE(vdso, mappings->end());
  auto module = Module::open(*vdso, UniqueFd());
  ASSERT_TRUE(module.ok()) << module.error().text;
  const UniqueFd no_root;
  std::vector<Frame> frames;
  for (uint64_t address = vdso->start; address < vdso->end; address += 16) {
    (*module)->append_frames(address, no_root, kMaxDebugBytes, frames);
  }
  EXPECT_TRUE(std::ranges::any_of(frames, [](const Frame& frame) {
    return frame.function == "__vdso_clock_gettime" || frame.function == "clock_gettime";
  }));
}

TEST(Unwind, IntactFileIsNamed) {
  const Bytes file = read_file(MAPSCOPE_FIXTURE_STACKS_PIE);
  std::mt19937_64 random(1);
  EXPECT_GT(exercise(file_of(file), mapping_of(file), random), 20U);
}

TEST(Unwind, FlippedBytesInASectionDoNoHarm) {
  const LibraryLeaksAllowed allowed;
  for (const char* path : {MAPSCOPE_FIXTURE_STACKS_PIE, MAPSCOPE_FIXTURE_STACKS_DWARF4,
                           MAPSCOPE_FIXTURE_STACKS_COMPRESSED}) {
    const Bytes intact = read_file(path);
    const ExecutableMapping mapping = mapping_of(intact);
    const std::vector<Elf64_Shdr> sections = sections_of(intact);
    std::mt19937_64 random(7);
    for (int i = 0; i < 400; ++i) {
      Bytes file = intact;
      const Elf64_Shdr& section = sections[random() % sections.size()];
      const size_t flips = 1 + random() % 30;
      for (size_t k = 0; k < flips; ++k) {
        file[section.sh_offset + random() % section.sh_size] = static_cast<char>(random());
      }
      exercise(file_of(file), mapping, random);
    }
  }
}

TEST(Unwind, FlippedHeadersDoNoHarm) {
  const LibraryLeaksAllowed allowed;
  const Bytes intact = read_file(MAPSCOPE_FIXTURE_STACKS_PIE);
  const ExecutableMapping mapping = mapping_of(intact);
  Elf64_Ehdr header{};
  std::memcpy(&header, intact.data(), sizeof(header));
  std::mt19937_64 random(11);
  for (int i = 0; i < 500; ++i) {
    Bytes file = intact;
    const size_t table_bytes = size_t{header.e_shnum} * sizeof(Elf64_Shdr);
    file[random() % 0x400] = static_cast<char>(random());
    file[header.e_shoff + random() % table_bytes] = static_cast<char>(random());
    exercise(file_of(file), mapping, random);
  }
}

TEST(Unwind, CutFilesDoNoHarm) {
  const LibraryLeaksAllowed allowed;
  const Bytes intact = read_file(MAPSCOPE_FIXTURE_STACKS_PIE);
  std::mt19937_64 random(13);
  for (int i = 0; i < 100; ++i) {
    Bytes file = intact;
    file.resize(random() % file.size());
    exercise(file_of(file), mapping_of(intact), random);
  }
}

TEST(Unwind, FileTruncatedWhileOpenDoesNoHarm) {
  const Bytes file = read_file(MAPSCOPE_FIXTURE_STACKS_PIE);
  UniqueFd fd = file_of(file);
  const UniqueFd other(::dup(fd.get()));
  const ExecutableMapping mapping = mapping_of(file);
  auto module = Module::open(mapping, std::move(fd));
  ASSERT_TRUE(module.ok());
  ASSERT_EQ(::ftruncate(other.get(), 0), 0);
  std::vector<Frame> frames;
  const UniqueFd no_root;
  (*module)->append_frames(mapping.start, no_root, kMaxDebugBytes, frames);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].module, "/file");
}

TEST(Unwind, TextFileIsRefused) {
  const Bytes text(4096, 'x');
  const auto module = Module::open({kBase, kBase + 4096, 0, 1, 1, "/text"}, file_of(text));
  ASSERT_FALSE(module.ok());
  EXPECT_EQ(module.error().kind, ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace mapscope::test
