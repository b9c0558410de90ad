// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/cri/container_names.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/base/log.h"

namespace mapscope {

ContainerNames::ContainerNames(std::string socket, std::chrono::milliseconds retry,
                               UniqueFd stop_fd)
    : retry_(retry), stop_fd_(std::move(stop_fd)), runtime_(std::move(socket), stop_fd_.get()) {}

Result<std::unique_ptr<ContainerNames>> ContainerNames::open(const std::string& socket,
                                                             std::chrono::milliseconds retry) {
  UniqueFd stop_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_fd.valid()) return system_error("eventfd", errno);
  std::unique_ptr<ContainerNames> names(new ContainerNames(socket, retry, std::move(stop_fd)));
  const auto version = names->runtime_.version();
  if (version) {
    log_info("names of containers come from {}", *version);
    return names;
  }
  // Names are not worth a node that nobody watches.
  if (version.error().kind != ErrorKind::kSystem) return version.error();
  names->tell_silence(version.error());
  return names;
}

ContainerNames::~ContainerNames() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_fd_.get(), &one, sizeof(one));
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ContainerNames::start() { thread_ = std::thread(&ContainerNames::run, this); }

void ContainerNames::set_wanted(const std::set<std::string>& container_ids) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.wanted + kKeep < now; });
  for (const std::string& id : container_ids) {
    const auto found = entries_.find(id);
    if (found != entries_.end())
      found->second.wanted = now;
    else if (entries_.size() < kMaxContainers)
      entries_[id].wanted = now;
  }
  if (has_unanswered()) changed_.notify_one();
}

bool ContainerNames::has_unanswered() const {
  return std::ranges::any_of(entries_, [](const auto& entry) { return !entry.second.answered; });
}

// The next after the one that was asked for last.
std::string ContainerNames::take_turn() {
  const auto is_open = [](const auto& entry) { return !entry.second.answered; };
  auto next = std::find_if(entries_.upper_bound(last_asked_), entries_.end(), is_open);
  if (next == entries_.end()) next = std::find_if(entries_.begin(), entries_.end(), is_open);
  last_asked_ = next->first;
  return last_asked_;
}

void ContainerNames::tell_silence(const Error& error) {
  ++errors_;
  if (!failing_) log_warn("{}; asked again every {} s", error.text, retry_.count() / 1000);
  failing_ = true;
}

void ContainerNames::keep(const std::string& id,
                          const Result<std::optional<ContainerName>>& answer) {
  if (!answer) return tell_silence(answer.error());
  if (failing_) log_info("{}: answers again", runtime_.socket());
  failing_ = false;
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.answered = true;
  found->second.name = *answer;
}

void ContainerNames::run() {
  pthread_setname_np(pthread_self(), "container_names");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || has_unanswered(); });
    if (stopping_) return;
    const std::string id = take_turn();
    lock.unlock();
    const auto answer = runtime_.find(id);
    lock.lock();
    if (stopping_) return;
    keep(id, answer);
    if (failing_) changed_.wait_for(lock, retry_, [this] { return stopping_; });
  }
}

std::vector<ContainerName> ContainerNames::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<ContainerName> names;
  for (const auto& [id, entry] : entries_) {
    if (entry.name) names.push_back(*entry.name);
  }
  return names;
}

uint64_t ContainerNames::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

}  // namespace mapscope
