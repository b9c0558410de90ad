// SPDX-License-Identifier: Apache-2.0
// What an instruction is said to write is held against the processor: each one that decodes is run
// alone in a child, and the registers that changed must be among Instruction::written.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/binary/instruction.h"

namespace mapscope {
namespace {

constexpr size_t kDataBytes = 1 << 20;
constexpr size_t kBytes = 16;
constexpr uint8_t kNop = 0x90;
using Encoding = std::vector<uint8_t>;
using Values = std::array<unsigned long long, 16>;

// A stopped child that runs one instruction when asked.
class Processor {
 public:
  Processor() {
    code_ = map(kBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED);
    data_ = reinterpret_cast<uintptr_t>(map(kDataBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE));
    start();
  }
  ~Processor() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;

  // nullopt: it does not exist on this processor. Empty also when it does not run with these
  // values.
  std::optional<std::vector<Register>> changed_by(const Instruction& in, int pattern) {
    std::fill_n(code_, kBytes, kNop);
    std::copy_n(in.bytes.begin(), in.length, code_);
    const Values before = values(pattern);
    user_regs_struct state = put(before);
    int status = 0;
    if (ptrace(PTRACE_SETREGS, child_, 0, &state) != 0 ||
        ptrace(PTRACE_SINGLESTEP, child_, 0, 0) != 0 || waitpid(child_, &status, 0) != child_)
      std::abort();
    if (!WIFSTOPPED(status)) {
      ADD_FAILURE() << in.text << " has ended the child";
      start();
      return std::nullopt;
    }
    if (WSTOPSIG(status) == SIGILL) return std::nullopt;
    if (WSTOPSIG(status) != SIGTRAP || ptrace(PTRACE_GETREGS, child_, 0, &state) != 0)
      return std::vector<Register>();
    ++ran_;
    const Values after = values_of(state);
    std::vector<Register> changed;
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i] != after[i]) changed.push_back(static_cast<Register>(i));
    }
    return changed;
  }
  [[nodiscard]] size_t ran() const { return ran_; }

 private:
  static uint8_t* map(size_t bytes, int protection, int sharing) {
    void* at = mmap(nullptr, bytes, protection, sharing | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    return static_cast<uint8_t*>(at);
  }
  void start() {
    child_ = fork();
    if (child_ == 0) {
      ptrace(PTRACE_TRACEME, 0, 0, 0);
      raise(SIGSTOP);
      _exit(0);
    }
    waitpid(child_, nullptr, 0);
    ptrace(PTRACE_SETOPTIONS, child_, 0, PTRACE_O_EXITKILL);
    if (ptrace(PTRACE_GETREGS, child_, 0, &base_) != 0) std::abort();
  }
  // Addresses of data, with and without a dividend that fits, and numbers without meaning.
  [[nodiscard]] Values values(int pattern) const {
    Values out{};
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = pattern == 2 ? 0x8123456789abcdefULL * (i + 3) : data_ + kDataBytes / 2 + 0x100 * i;
    }
    if (pattern == 1) {
      out[0] = 5;
      out[1] = 3;
      out[2] = 0;
    }
    out[4] = data_ + kDataBytes / 2;
    return out;
  }
  [[nodiscard]] user_regs_struct put(const Values& v) const {
    user_regs_struct out = base_;
    const std::array<unsigned long long*, 16> places = {
        &out.rax, &out.rcx, &out.rdx, &out.rbx, &out.rsp, &out.rbp, &out.rsi, &out.rdi,
        &out.r8,  &out.r9,  &out.r10, &out.r11, &out.r12, &out.r13, &out.r14, &out.r15};
    for (size_t i = 0; i < v.size(); ++i) *places[i] = v[i];
    out.rip = reinterpret_cast<uintptr_t>(code_);
    out.orig_rax = ~0ULL;
    return out;
  }
  static Values values_of(const user_regs_struct& s) {
    return {s.rax, s.rcx, s.rdx, s.rbx, s.rsp, s.rbp, s.rsi, s.rdi,
            s.r8,  s.r9,  s.r10, s.r11, s.r12, s.r13, s.r14, s.r15};
  }

  uint8_t* code_ = nullptr;
  uintptr_t data_ = 0;
  pid_t child_ = 0;
  user_regs_struct base_{};
  size_t ran_ = 0;
};

class Comparison {
 public:
  void add(const Encoding& encoding) {
    Encoding padded = encoding;
    padded.resize(kBytes, kNop);
    const auto code = disassemble(std::as_bytes(std::span(padded)), 0x1000);
    if (!code || code->front().flow != Flow::kNext) return;
    const Instruction& in = code->front();
    for (int pattern = 0; pattern < 3; ++pattern) {
      const auto changed = processor_.changed_by(in, pattern);
      if (!changed) return;
      for (const Register reg : *changed) {
        if ((in.written & set_of(reg)) == 0)
          missed_[in.text.substr(0, in.text.find(' '))] = in.text;
      }
    }
  }
  [[nodiscard]] size_t ran() const { return processor_.ran(); }
  [[nodiscard]] const std::map<std::string, std::string>& missed() const { return missed_; }

 private:
  Processor processor_;
  std::map<std::string, std::string> missed_;  // by mnemonic, an example
};

bool is_prefix(int opcode) {
  return (opcode & 0xf0) == 0x40 || opcode == 0x0f || opcode == 0x26 || opcode == 0x2e ||
         opcode == 0x36 || opcode == 0x3e || (opcode >= 0x62 && opcode <= 0x67) || opcode == 0xc4 ||
         opcode == 0xc5 || opcode == 0xf0 || opcode == 0xf2 || opcode == 0xf3;
}

// Registers and memory in both places.
constexpr std::array<uint8_t, 8> kModes = {0xc8, 0xd3, 0xe1, 0xf7, 0x03, 0x13, 0x23, 0x33};

void expect_nothing_missed(const Comparison& comparison, size_t least) {
  for (const auto& [name, example] : comparison.missed())
    ADD_FAILURE() << "changes more than it is said to: " << example;
  EXPECT_GT(comparison.ran(), least) << "hardly anything ran";
}

TEST(WrittenRegisters, OfLegacyInstructionsHoldOnTheProcessor) {
  const std::array<Encoding, 4> escapes = {Encoding{}, Encoding{0x0f}, Encoding{0x0f, 0x38},
                                           Encoding{0x0f, 0x3a}};
  Comparison comparison;
  for (size_t map = 0; map < escapes.size(); ++map) {
    for (int opcode = 0; opcode < 256; ++opcode) {
      if ((map == 0 && is_prefix(opcode)) || (map == 1 && (opcode == 0x38 || opcode == 0x3a)))
        continue;
      for (const int prefix : {0, 0x66, 0xf2, 0xf3}) {
        for (const int rex : {0, 0x4d}) {
          for (const uint8_t mode : kModes) {
            Encoding bytes;
            for (const int byte : {prefix, rex}) {
              if (byte != 0) bytes.push_back(static_cast<uint8_t>(byte));
            }
            bytes.insert(bytes.end(), escapes[map].begin(), escapes[map].end());
            bytes.insert(bytes.end(), {static_cast<uint8_t>(opcode), mode, 1});
            comparison.add(bytes);
          }
        }
      }
    }
  }
  expect_nothing_missed(comparison, 30'000);
}

// VEX: three operands. Processors from 2013 on have them.
TEST(WrittenRegisters, OfVectorInstructionsHoldOnTheProcessor) {
  ASSERT_TRUE(__builtin_cpu_supports("bmi2")) << "this processor cannot execute them";
  Comparison comparison;
  for (int map = 1; map < 4; ++map) {
    for (int opcode = 0; opcode < 256; ++opcode) {
      for (int rest = 0; rest < 16; ++rest) {  // W, three bits of L and pp
        for (const int second : {15, 3}) {
          for (const uint8_t mode : kModes) {
            const int last = (rest & 8) << 4 | second << 3 | (rest & 7);
            comparison.add({0xc4, static_cast<uint8_t>(0xe0 | map), static_cast<uint8_t>(last),
                            static_cast<uint8_t>(opcode), mode, 1});
          }
        }
      }
    }
  }
  expect_nothing_missed(comparison, 10'000);
}

}  // namespace
}  // namespace mapscope
