// SPDX-License-Identifier: Apache-2.0
// tests/bench/support/workload.h – inserts into maps that can be timed again and again, in this
// program or in one that the Go compiler made.
//
// Errors end the program: there is nothing to measure then. Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace mapscope::test {

[[noreturn]] void give_up(const std::string& why);

class Workload {
 public:
  Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  virtual ~Workload() = default;

  [[nodiscard]] virtual int pid() const = 0;
  [[nodiscard]] virtual std::string path() const = 0;    // of the program
  [[nodiscard]] virtual std::string insert() const = 0;  // the function that inserts
  // Nanoseconds of CPU time of one insert, over at least so many.
  virtual double time(uint64_t inserts) = 0;
  // How many the last time() was over.
  [[nodiscard]] virtual uint64_t done() const = 0;
};

enum class Load {
  kUpdate,  // keys that are there: no growth
  kFill,    // from empty to a million entries, again and again
  kGrow,    // from empty to a thousand entries: a growth every hundred inserts
};

// The map of target/, in this program.
std::unique_ptr<Workload> cxx_workload(Load load);
// A map[int]int in tests/fixtures/go/bench. `version`: "1.19".
std::unique_ptr<Workload> go_workload(const std::string& version, Load load);

}  // namespace mapscope::test
