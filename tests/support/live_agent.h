// SPDX-License-Identifier: Apache-2.0
// tests/support/live_agent.h – the agent at work: its event lines, its web server, its end.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/growth.h"
#include "tests/support/http_client.h"
#include "tests/support/live_target.h"

namespace mapscope::test {

// The built one, or what MAPSCOPE_AGENT names.
std::string agent_path();

class LiveAgent {
 public:
  enum class Until { kReady, kStarted };

  // Runs the agent with JSON events (unless the arguments say otherwise), metrics on a free port of
  // loopback, and these arguments, and returns when it is ready: every probe is in place. Started
  // is for one that may be done before it can be asked: it has no port.
  explicit LiveAgent(const std::vector<std::string>& arguments, Until until = Until::kReady);
  explicit LiveAgent(const LiveTarget& target, const std::vector<std::string>& arguments = {});

  // Another file, or in other circumstances.
  LiveAgent(const std::vector<std::string>& arguments, const SpawnOptions& options,
            const std::string& path = agent_path());

  [[nodiscard]] ChildProcess& process() { return process_; }
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] HttpAnswer get(const std::string& path) const { return http_get(port_, path); }
  // The sum of a metric's samples that have all of these labels (`key="value"`); 0 without one.
  [[nodiscard]] uint64_t metric(const std::string& name,
                                const std::vector<std::string>& labels = {}) const;

  // Waits until it ends by itself. The exit status.
  int wait() { return process_.wait(); }

  // All events so far, or those of one kind.
  const std::vector<nlohmann::json>& events();
  std::vector<nlohmann::json> events(const std::string& kind);
  // Of one process, or of all.
  std::vector<Growth> growths(pid_t pid = 0);
  // REQUIRES: it has ended by itself.
  nlohmann::json summary();
  // What the summary counts as lost, by reason; without what makes no resize go missing.
  std::map<std::string, uint64_t> lost_resizes();

 private:
  void await_ready();

  ChildProcess process_;
  uint16_t port_ = 0;
  std::vector<nlohmann::json> events_;
};

// The sum of all counts.
uint64_t total(const std::map<std::string, uint64_t>& counts);

}  // namespace mapscope::test
