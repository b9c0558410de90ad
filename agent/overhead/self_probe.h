// SPDX-License-Identifier: Apache-2.0
// agent/overhead/self_probe.h – probes on functions of this process that count their hits.
//
// The BPF program is a handful of raw instructions, so that it loads wherever uprobes work at all,
// whatever the state of the agent's own programs.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/attach/programs.h"
#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

namespace mapscope {

using ProbedFunction = void (*)();

// A BPF program of uprobe type that counts into a map of one page.
class CountingProgram {
 public:
  // Errors: kPermission, kUnsupported, kSystem, naming the call.
  static Result<CountingProgram> load(AttachMethod method);

  CountingProgram(CountingProgram&& other) noexcept;
  CountingProgram& operator=(CountingProgram&&) = delete;
  CountingProgram(const CountingProgram&) = delete;
  CountingProgram& operator=(const CountingProgram&) = delete;
  ~CountingProgram();

  [[nodiscard]] int fd() const { return program_.get(); }
  [[nodiscard]] uint64_t hits() const;

 private:
  CountingProgram() = default;
  UniqueFd map_;
  UniqueFd program_;
  void* page_ = MAP_FAILED;
};

class SelfProbe {
 public:
  // Probes the first instruction of each function, in this process only, until destruction. The
  // functions lie in the main executable.
  static Result<SelfProbe> attach(std::span<const ProbedFunction> functions, AttachMethod method);
  // The same at file offsets of `path`, a file that this process has mapped.
  static Result<SelfProbe> attach_at(const std::string& path, std::span<const uint64_t> offsets,
                                     AttachMethod method);

  [[nodiscard]] uint64_t hits() const { return program_.hits(); }

 private:
  explicit SelfProbe(CountingProgram program) : program_(std::move(program)) {}
  Status attach_multi(const char* path, std::span<const uint64_t> offsets);
  Status attach_perf(const char* path, std::span<const uint64_t> offsets);

  CountingProgram program_;
  std::vector<UniqueFd> links_;  // after the program: closed first
};

}  // namespace mapscope
