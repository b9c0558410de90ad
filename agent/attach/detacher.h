// SPDX-License-Identifier: Apache-2.0
// agent/attach/detacher.h – closes links on threads of its own.
//
// The kernel lets go of a probe only when no CPU can be inside its program any more: tens of
// milliseconds a link (kernel 6.18), during which nobody else should wait. Waits overlap when
// several links are closed at once. Threads: detach() from any one thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "agent/base/libbpf_ptr.h"

namespace mapscope {

class Detacher {
 public:
  Detacher() = default;
  Detacher(const Detacher&) = delete;
  Detacher& operator=(const Detacher&) = delete;
  // Returns when every link is closed.
  ~Detacher();

  // Returns at once, unless more than kMaxWaiting links wait to be closed: probes must not come
  // faster than the kernel lets go of them. `then` is called by one of the threads when the last of
  // these is closed.
  void detach(std::vector<LinkPtr> links, std::function<void()> then);

 private:
  static constexpr size_t kMaxThreads = 32;
  static constexpr size_t kMaxWaiting = 256;
  struct Task {
    LinkPtr link;
    std::shared_ptr<void> batch;  // its end is the end of the last of its links
  };
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable taken_;
  std::deque<Task> tasks_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace mapscope
