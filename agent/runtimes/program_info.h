// SPDX-License-Identifier: Apache-2.0
// agent/runtimes/program_info.h – what is said of a file in which maps are probed. Words only:
// nothing is kept open by it. Threads: any, nothing changes.
#pragma once

#include <string>
#include <string_view>

namespace mapscope {

struct Runtime;

struct ProgramInfo {
  std::string path;  // as the process sees it that was the first to have it mapped
  std::string build_id;
  std::string version;               // of the runtime; "" when there is none
  std::string_view language{};       // "" where it may be any that is compiled; static storage
  const Runtime* runtime = nullptr;  // the first that found something; static storage
  bool unverified = false;           // newer than what was checked; what it had to prove, it proved
};

}  // namespace mapscope
