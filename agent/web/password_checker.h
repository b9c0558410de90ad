// SPDX-License-Identifier: Apache-2.0
// agent/web/password_checker.h – bcrypt on a thread of its own, so that the server goes on
// meanwhile.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "agent/web/web_settings.h"

namespace mapscope {

class PasswordChecker {
 public:
  struct Question {
    uint64_t connection = 0;
    std::shared_ptr<const WebSettings> settings;  // with auth
    Credentials credentials;
  };
  using Verdict = std::pair<uint64_t, bool>;  // connection, right

  // `wake_fd`: an eventfd that is written to when there is a verdict; outlives the checker.
  explicit PasswordChecker(int wake_fd);
  PasswordChecker(const PasswordChecker&) = delete;
  PasswordChecker& operator=(const PasswordChecker&) = delete;
  ~PasswordChecker();  // waits for at most one bcrypt

  // False: too many wait already, and it was not taken.
  bool ask(Question question);
  std::vector<Verdict> take_verdicts();

 private:
  static constexpr size_t kMostWaiting = 64;
  void run();
  static bool is_right(const Question& question);

  int wake_fd_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable asked_;
  std::deque<Question> questions_;
  std::vector<Verdict> verdicts_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mapscope
