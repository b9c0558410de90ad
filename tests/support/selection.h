// SPDX-License-Identifier: Apache-2.0
// tests/support/selection.h – what tests of selected processes share: copies of the target, and
// what the agent says of a process.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/kernel_objects.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {

// The target's program once more, as another file.
inline std::string copy_of_target(const TemporaryDirectory& directory, const std::string& name) {
  std::filesystem::copy_file(target_path(), directory / name,
                             std::filesystem::copy_options::overwrite_existing);
  return directory / name;
}

// How often the process has come into this state.
inline size_t times(LiveAgent& agent, const std::string& state, pid_t pid) {
  size_t count = 0;
  for (const nlohmann::json& event : agent.events("target"))
    count += event.at("state") == state && event.at("pid") == pid;
  return count;
}

[[nodiscard]] inline bool await_attached(LiveAgent& agent, pid_t pid) {
  return poll_until([&] { return times(agent, "attached", pid) > 0; });
}

inline size_t link_count(LiveAgent& agent) {
  return kernel_objects_of(agent.process().pid()).links.size();
}

// Ends it by Ctrl-C. The exit status.
inline int interrupt(LiveAgent& agent) {
  agent.process().signal(SIGINT);
  return agent.wait();
}

}  // namespace mapscope::test
