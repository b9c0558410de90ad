// SPDX-License-Identifier: Apache-2.0
// agent/discover/selection.h – which processes are wanted that nobody named by number.
//
// A glob is that of fnmatch(3); its * also matches a slash. Names are matched as raw bytes, as the
// process sees them. Threads: any, nothing changes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

struct Selection {
  bool all = false;
  std::vector<std::string> exe{};      // globs on the path of the executable
  std::vector<std::string> comm{};     // globs on the name of the process
  std::vector<std::string> exclude{};  // globs on either; these win

  // Whether anything is selected at all.
  [[nodiscard]] bool active() const { return all || !exe.empty() || !comm.empty(); }
  [[nodiscard]] bool matches(const std::string& exe_path, const std::string& process_comm) const;
  // Whether more than "everything" led to it.
  [[nodiscard]] bool matches_by_name(const std::string& exe_path,
                                     const std::string& process_comm) const;
};

}  // namespace mapscope
