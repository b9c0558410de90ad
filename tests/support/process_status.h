// SPDX-License-Identifier: Apache-2.0
// tests/support/process_status.h – what /proc says of the threads of a process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace mapscope::test {

// The fields of /proc/PID/task/TID/status of every thread.
inline std::vector<std::map<std::string, std::string>> thread_status(pid_t pid) {
  std::vector<std::map<std::string, std::string>> out;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream file(task.path() / "status");
    std::map<std::string, std::string>& fields = out.emplace_back();
    for (std::string line; std::getline(file, line);) {
      const size_t colon = line.find(":\t");
      if (colon != std::string::npos) fields[line.substr(0, colon)] = line.substr(colon + 2);
    }
  }
  return out;
}

// Whether its threads block a signal, as a program does that takes it when it is ready to.
inline bool keeps_back(pid_t pid, int signal) {
  const std::string mask = thread_status(pid).front().at("SigBlk");
  return (std::stoull(mask, nullptr, 16) >> (signal - 1) & 1) != 0;
}

// A set of capabilities as status has it.
inline uint64_t capability_bits(const std::map<std::string, std::string>& status,
                                const std::string& field) {
  return std::stoull(status.at(field), nullptr, 16);
}

}  // namespace mapscope::test
