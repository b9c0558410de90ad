// SPDX-License-Identifier: Apache-2.0
// tests/faults/fault.h – what may go wrong around the agent: each fault is a row of a table, and
// some things must hold whichever it is.
//
// fault_tests --gtest_list_tests prints the rows with what is done and what must hold. Always
// holds: the agent goes on, is healthy, has said of the fault what the row says, in one line, and
// nothing else of weight; a program that has nothing to do with the fault is watched to its end as
// if nothing had been; the agent then ends with status 0 and leaves nothing in the kernel.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/selection.h"

namespace mapscope::test {

class Scene;

struct Fault {
  const char* name;
  const char* done;   // what is done
  const char* holds;  // what must hold besides what always must
  const char* said;   // in one line of the log; "": nobody needs to know
  void (*act)(Scene&);
  std::vector<std::string> arguments = {};  // of the agent
  std::function<void()> before_agent = {};  // run in its process
  bool whole_machine = false;               // others may give reason for more lines
};
inline std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.done << " -> " << fault.holds;
}

// An agent that watches every program of a directory, and a bystander that waits in there.
class Scene {
 public:
  explicit Scene(const Fault& fault);

  [[nodiscard]] LiveAgent& agent() { return *agent_; }
  // In place of one that has ended.
  void start_agent();
  // Where programs are selected.
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }
  // The target's program as one that the agent selects, held before its first insert; lives as long
  // as the scene. The second returns when it is watched.
  LiveTarget& add(const std::string& name, const std::vector<std::string>& load,
                  const SpawnOptions& options = {});
  LiveTarget& add_watched(const std::string& name, const std::vector<std::string>& load,
                          const SpawnOptions& options = {});
  [[nodiscard]] bool await_gone(pid_t pid);
  [[nodiscard]] bool await_said(const std::string& text);
  [[nodiscard]] uint64_t lost(const std::string& reason) const;
  // Every growth of one that has ended was told, and no other.
  void expect_truth(LiveTarget& target);
  // Lets it run to its end.
  void expect_run(LiveTarget& target);
  // Keeps it open until the agent has ended.
  const UniqueFd& keep(UniqueFd fd) { return kept_.emplace_back(std::move(fd)); }
  // What always must hold.
  void conclude();

 private:
  void expect_said();

  Fault fault_;
  TemporaryDirectory directory_;
  std::list<LiveTarget> targets_;
  LiveTarget* bystander_ = nullptr;
  std::optional<LiveAgent> agent_;
  std::list<UniqueFd> kept_;
};

class Faults : public testing::TestWithParam<Fault> {};

inline std::string fault_name(const testing::TestParamInfo<Fault>& test) { return test.param.name; }

}  // namespace mapscope::test
