// SPDX-License-Identifier: Apache-2.0
#include "agent/discover/selection.h"

#include <fnmatch.h>

#include <algorithm>

namespace mapscope {
namespace {

bool any_matches(const std::vector<std::string>& globs, const std::string& text) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), text.c_str(), 0) == 0;
  });
}

}  // namespace

bool Selection::matches_by_name(const std::string& exe_path,
                                const std::string& process_comm) const {
  return any_matches(exe, exe_path) || any_matches(comm, process_comm);
}

bool Selection::matches(const std::string& exe_path, const std::string& process_comm) const {
  if (any_matches(exclude, exe_path) || any_matches(exclude, process_comm)) return false;
  return all || matches_by_name(exe_path, process_comm);
}

}  // namespace mapscope
