// SPDX-License-Identifier: Apache-2.0
#include "tests/support/live_target.h"

#include <unistd.h>

#include <stdexcept>

#include "tests/paths.h"
#include "tests/support/poll.h"

namespace mapscope::test {
namespace {

std::vector<std::string> command_of(const std::string& path, const std::string& truth,
                                    const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {path, "--wait", "--truth", truth};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

// Where whoever runs the target may write it.
std::string truth_file(const TemporaryDirectory& directory, const SpawnOptions& options) {
  if (options.user && ::chown(directory.path().c_str(), *options.user, *options.user) != 0)
    throw std::runtime_error("chown " + directory.path());
  return directory / "truth";
}

}  // namespace

std::string target_path() {
  const char* chosen = std::getenv("MAPSCOPE_TARGET");
  return chosen != nullptr ? chosen : MAPSCOPE_TARGET_PATH;
}

WaitingProgram::WaitingProgram(const std::vector<std::string>& command, const SpawnOptions& options)
    : process_(command, options) {
  const std::string ready = "ready " + pid_text() + "\n";
  const bool came =
      poll_until([&] { return !process_.running() || process_.out().text() == ready; });
  if (!came || !process_.running()) {
    throw std::runtime_error("the target did not get ready: " + process_.err().text());
  }
}

LiveTarget::LiveTarget(const std::vector<std::string>& arguments, const SpawnOptions& options,
                       const std::string& path)
    : program_(command_of(path, truth_file(directory_, options), arguments), options) {}

int LiveTarget::run() {
  begin();
  return process().wait();
}

uint64_t LiveTarget::result(const std::string& name) {
  const std::string text = process().out().text();
  return nlohmann::json::parse(text.substr(text.find('{'))).at(name);
}

}  // namespace mapscope::test
