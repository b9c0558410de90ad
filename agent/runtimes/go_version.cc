// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_version.h"

#include <algorithm>
#include <array>
#include <string>

namespace mapscope {

Error unchecked_go(const Program& program) {
  const GoBuild& build = program.go->build();
  std::string found = "built with " + build.text;
  if (build.version == GoVersion{})
    found = "built by \"" + build.text + "\", which names no release of Go";
  if (build.text.empty()) found = "a Go program that does not tell its version";
  return Error{ErrorKind::kUnsupported,
               program.elf.name() + ": " + found + "; the maps of Go 1.15 to 1.27 are known",
               "go_version"};
}

Result<bool> is_checked_go(const Program& program) {
  const GoVersion& version = program.go->build().version;
  if (version < kFirstCheckedGo || version.major != kFirstUncheckedGo.major)
    return unchecked_go(program);
  return version < kFirstUncheckedGo;
}

bool is_go_map_code(std::string_view function, std::string_view /*map_type*/) {
  // Other packages below internal/ have maps of their own, which they fill at their own lines.
  static constexpr std::array<std::string_view, 9> kPrefixes = {"runtime.",
                                                                "internal/runtime/",
                                                                "internal/abi.",
                                                                "internal/sync.",
                                                                "internal/concurrent.",
                                                                "sync.",
                                                                "sync/",
                                                                "reflect.",
                                                                "maps."};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return function.starts_with(prefix); });
}

bool is_go_map_fatal(std::string_view message) {
  return message.find("concurrent map") != std::string_view::npos;
}

}  // namespace mapscope
