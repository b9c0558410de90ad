// SPDX-License-Identifier: Apache-2.0
#include "tests/support/live_agent.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include "tests/paths.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

constexpr std::string_view kAnnouncement = "agent: metrics at http://127.0.0.1:";

// Each of them is one resize that is in the truth and in no event.
constexpr std::array<std::string_view, 4> kResizeLosses = {"ring_full_resize", "open_table_full",
                                                           "superseded", "queue_full_resize"};

std::vector<std::string> command_of(const std::vector<std::string>& arguments,
                                    const std::string& path = agent_path()) {
  std::vector<std::string> command = {path, "--web.listen-address", "127.0.0.1:0"};
  if (std::find(arguments.begin(), arguments.end(), "--events") == arguments.end()) {
    command.insert(command.end(), {"--events", "json"});
  }
  // Loads that do nothing but grow maps are what tests are about.
  if (std::find(arguments.begin(), arguments.end(), "--overhead-budget") == arguments.end()) {
    command.insert(command.end(), {"--overhead-budget", "none"});
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

std::vector<std::string> watching(const LiveTarget& target, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--pid", target.pid_text()});
  return arguments;
}

bool is_sample_of(const std::string& line, const std::string& name,
                  const std::vector<std::string>& labels) {
  if (!line.starts_with(name) || line.size() <= name.size()) return false;
  if (line[name.size()] != ' ' && line[name.size()] != '{') return false;
  return std::all_of(labels.begin(), labels.end(), [&](const std::string& label) {
    return line.find(label) != std::string::npos;
  });
}

}  // namespace

std::string agent_path() {
  const char* chosen = std::getenv("MAPSCOPE_AGENT");
  return chosen != nullptr ? chosen : MAPSCOPE_AGENT_PATH;
}

LiveAgent::LiveAgent(const std::vector<std::string>& arguments, Until until)
    : process_(command_of(arguments)) {
  if (until == Until::kReady) await_ready();
}

LiveAgent::LiveAgent(const std::vector<std::string>& arguments, const SpawnOptions& options,
                     const std::string& path)
    : process_(command_of(arguments, path), options) {
  await_ready();
}

LiveAgent::LiveAgent(const LiveTarget& target, const std::vector<std::string>& arguments)
    : LiveAgent(watching(target, arguments)) {}

void LiveAgent::await_ready() {
  const bool ready = poll_until([this] {
    if (!process_.running()) return true;
    if (port_ == 0) {
      const std::string said = process_.err().text();
      const size_t at = said.find(kAnnouncement);
      if (at == std::string::npos || said.find('\n', at) == std::string::npos) return false;
      port_ = static_cast<uint16_t>(std::stoul(said.substr(at + kAnnouncement.size())));
    }
    return get("/-/ready").status == 200;
  });
  if (ready && process_.running()) return;
  throw std::runtime_error("the agent did not get ready: " + process_.err().text());
}

uint64_t LiveAgent::metric(const std::string& name, const std::vector<std::string>& labels) const {
  std::istringstream text(get("/metrics").body);
  double sum = 0;
  for (std::string line; std::getline(text, line);) {
    if (is_sample_of(line, name, labels)) sum += std::stod(line.substr(line.rfind(' ')));
  }
  return static_cast<uint64_t>(std::llround(sum));
}

const std::vector<nlohmann::json>& LiveAgent::events() {
  for (const std::string& line : process_.out().take_lines()) {
    // A command that the agent started writes to the same place.
    if (line.starts_with("{\"event\"")) events_.push_back(nlohmann::json::parse(line));
  }
  return events_;
}

std::vector<nlohmann::json> LiveAgent::events(const std::string& kind) {
  std::vector<nlohmann::json> chosen;
  for (const nlohmann::json& event : events()) {
    if (event.at("event") == kind) chosen.push_back(event);
  }
  return chosen;
}

std::vector<Growth> LiveAgent::growths(pid_t pid) {
  std::vector<Growth> growths;
  for (const nlohmann::json& event : events()) {
    if (event.at("event") != "resize" || (pid != 0 && event.at("pid") != pid)) continue;
    growths.push_back(growth_of_event(event));
  }
  return growths;
}

nlohmann::json LiveAgent::summary() {
  const std::vector<nlohmann::json> summaries = events("summary");
  if (summaries.size() != 1) {
    throw std::runtime_error(std::to_string(summaries.size()) + " summaries instead of one");
  }
  return summaries.front();
}

std::map<std::string, uint64_t> LiveAgent::lost_resizes() {
  std::map<std::string, uint64_t> lost = summary().at("lost");
  std::erase_if(lost, [](const auto& entry) {
    return std::find(kResizeLosses.begin(), kResizeLosses.end(), entry.first) ==
           kResizeLosses.end();
  });
  return lost;
}

uint64_t total(const std::map<std::string, uint64_t>& counts) {
  uint64_t sum = 0;
  for (const auto& [reason, count] : counts) sum += count;
  return sum;
}

}  // namespace mapscope::test
