// SPDX-License-Identifier: Apache-2.0
// agent/discover/cri/container_names.h – the names of the containers that targets run in, asked of
// the container runtime once for each, on a thread of its own.
//
// A question without an answer is counted, and the next one waits for kRetry; that is logged once.
// All containers take turns, so that one the runtime cannot tell of holds up no other. One that it
// does not have is not asked for again: it is another engine's. Threads: set_wanted() and what
// reads may be called by any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/discover/cri/container_runtime.h"

namespace mapscope {

class ContainerNames {
 public:
  static constexpr std::chrono::seconds kRetry{5};
  // As long as series of a process that is gone are shown.
  static constexpr std::chrono::minutes kKeep{5};
  static constexpr size_t kMaxContainers = 4096;  // further ones have no names

  // Asks the runtime for its version; starts no thread. Errors: as ContainerRuntime::version(), but
  // for a runtime that is there and too busy to answer: it is asked again.
  static Result<std::unique_ptr<ContainerNames>> open(const std::string& socket,
                                                      std::chrono::milliseconds retry = kRetry);
  ContainerNames(const ContainerNames&) = delete;
  ContainerNames& operator=(const ContainerNames&) = delete;
  ~ContainerNames();  // gives up what is being asked

  void start();
  // All that targets run in now.
  void set_wanted(const std::set<std::string>& container_ids);

  // Those that are known.
  [[nodiscard]] std::vector<ContainerName> all() const;
  // Questions without an answer, since the start.
  [[nodiscard]] uint64_t errors() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    Clock::time_point wanted;  // last
    bool answered = false;
    std::optional<ContainerName> name;
  };

  ContainerNames(std::string socket, std::chrono::milliseconds retry, UniqueFd stop_fd);
  void run();
  // REQUIRES: mutex_.
  [[nodiscard]] bool has_unanswered() const;
  std::string take_turn();
  void tell_silence(const Error& error);
  void keep(const std::string& id, const Result<std::optional<ContainerName>>& answer);

  const std::chrono::milliseconds retry_;
  UniqueFd stop_fd_;
  ContainerRuntime runtime_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<std::string, Entry> entries_;
  std::string last_asked_;
  uint64_t errors_ = 0;
  bool failing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mapscope
