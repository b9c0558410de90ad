// SPDX-License-Identifier: Apache-2.0
// agent/symbolize/address_space.h – one target: its modules, its unwinder and the frames already
// looked up.
//
// Threads: one at a time. Owns: the open files.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/discover/process.h"
#include "agent/model/resize.h"
#include "agent/symbolize/lru_cache.h"
#include "agent/symbolize/memory_map.h"
#include "agent/symbolize/module.h"
#include "agent/symbolize/symbolizer_limits.h"
#include "agent/symbolize/unwinder.h"
#include "bpf/wire.h"

namespace mapscope {

class AddressSpace {
 public:
  // Errors: see Symbolizer::add_target().
  static Result<std::unique_ptr<AddressSpace>> open(const Process& process,
                                                    const SymbolizerLimits& limits);

  // Return addresses, innermost first, without the tail that lies in no module; empty when none
  // does. The mappings are read again when an address is unknown and that may help. Valid until the
  // next call.
  const std::vector<CodeAddress>& unwind(const ms_stack_record& record);
  // Frames of one address. The reference is valid until the next call.
  const std::vector<Frame>& frames(const CodeAddress& address);

  // Whether a code address lies in a known file.
  [[nodiscard]] bool contains(uint64_t address) const { return find_module(address) != nullptr; }
  // Path of the file that holds the address; "" unknown.
  [[nodiscard]] std::string_view module_path(uint64_t address) const;
  // What Go's own tables said of look-up addresses, since the mappings changed.
  [[nodiscard]] LruCache<uint64_t, std::vector<Frame>>& go_frames() { return go_frames_; }
  [[nodiscard]] std::optional<uint64_t> load_bias(uint64_t dev, uint64_t inode) const;

  // Brings the mappings up to date. REQUIRES: `process` is the one that it was opened for. Returns
  // whether they had changed.
  Result<bool> update(const Process& process) { return load(process); }

  // Frees what was parsed; the files stay open.
  void forget();
  [[nodiscard]] bool has_parsed() const { return unwinder_ != nullptr; }
  // Changes when the mappings do.
  [[nodiscard]] uint32_t generation() const { return generation_; }

 private:
  AddressSpace(const Process& process, const SymbolizerLimits& limits, UniqueFd root);
  // Brings modules_ up to date. True if they changed.
  Result<bool> load(const Process& process);
  bool reload();
  [[nodiscard]] Module* find_module(uint64_t address) const;
  // False if an address that matters is in no module.
  bool unwind_once(const ms_stack_record& record);

  int pid_;
  uint64_t start_ticks_;
  SymbolizerLimits limits_;
  UniqueFd root_;
  std::vector<ExecutableMapping> mappings_;        // what modules_ were made of
  std::vector<std::unique_ptr<Module>> modules_;   // by address
  std::unique_ptr<Unwinder> unwinder_;             // nullptr until needed
  LruCache<uint64_t, std::vector<Frame>> frames_;  // by look-up address
  LruCache<uint64_t, std::vector<Frame>> go_frames_;
  std::vector<CodeAddress> addresses_;  // of the last unwind()
  std::chrono::steady_clock::time_point loaded_at_;
  uint32_t generation_ = 0;
};

}  // namespace mapscope
