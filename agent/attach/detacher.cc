// SPDX-License-Identifier: Apache-2.0
#include "agent/attach/detacher.h"

#include <utility>

namespace mapscope {

Detacher::~Detacher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Detacher::detach(std::vector<LinkPtr> links, std::function<void()> then) {
  const std::shared_ptr<void> batch(nullptr, [then = std::move(then)](void*) { then(); });
  std::unique_lock lock(mutex_);
  taken_.wait(lock, [this] { return tasks_.size() <= kMaxWaiting; });
  for (LinkPtr& link : links) tasks_.push_back({std::move(link), batch});
  while (threads_.size() < kMaxThreads && idle_ < tasks_.size()) {
    threads_.emplace_back(&Detacher::run, this);
    ++idle_;
  }
  changed_.notify_all();
}

void Detacher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    --idle_;
    lock.unlock();
    taken_.notify_one();
    task = {};
    lock.lock();
    ++idle_;
  }
}

}  // namespace mapscope
