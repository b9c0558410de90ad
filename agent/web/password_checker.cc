// SPDX-License-Identifier: Apache-2.0
#include "agent/web/password_checker.h"

#include <pthread.h>
#include <unistd.h>

namespace mapscope {

PasswordChecker::PasswordChecker(int wake_fd)
    : wake_fd_(wake_fd), thread_(&PasswordChecker::run, this) {}

PasswordChecker::~PasswordChecker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  asked_.notify_all();
  thread_.join();
}

bool PasswordChecker::ask(Question question) {
  const std::lock_guard lock(mutex_);
  if (questions_.size() >= kMostWaiting) return false;
  questions_.push_back(std::move(question));
  asked_.notify_one();
  return true;
}

std::vector<PasswordChecker::Verdict> PasswordChecker::take_verdicts() {
  const std::lock_guard lock(mutex_);
  return std::exchange(verdicts_, {});
}

// Out of memory is a refusal, too.
bool PasswordChecker::is_right(const Question& question) {
  BasicAuth& auth = *question.settings->auth;
  try {
    // An equal question may have been answered while this one waited.
    return auth.remembers(question.credentials) || auth.verify(question.credentials);
  } catch (const std::exception&) {
    return false;
  }
}

void PasswordChecker::run() {
  pthread_setname_np(pthread_self(), "web_password");
  std::unique_lock lock(mutex_);
  while (true) {
    asked_.wait(lock, [this] { return stopping_ || !questions_.empty(); });
    if (stopping_) return;
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    const bool right = is_right(question);
    lock.lock();
    verdicts_.emplace_back(question.connection, right);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof(one));
  }
}

}  // namespace mapscope
