// SPDX-License-Identifier: Apache-2.0
#include "agent/plan/inlined.h"

#include <algorithm>
#include <utility>

namespace mapscope {
namespace {

constexpr size_t kMaxHosts = 4'000'000;

// Without a profile the compiler puts into user code nothing that a room looks for.
std::vector<std::string_view> prefixes_of(const GoBuild& build,
                                          std::span<const std::string_view> hosts) {
  std::vector<std::string_view> prefixes(hosts.begin(), hosts.end());
  if (!build.may_have_profile()) std::erase(prefixes, std::string_view());
  return prefixes;
}

}  // namespace

InlinedCopies::InlinedCopies(const Program& program, std::span<const std::string_view> hosts,
                             std::span<const std::string_view> functions) {
  if (program.go == nullptr) return;
  const std::vector<std::string_view> prefixes = prefixes_of(program.go->build(), hosts);
  if (prefixes.empty() || functions.empty()) return;
  for (const GoFunction& host : program.go->functions(prefixes, kMaxHosts))
    look_into(host, program.go->inlined_code(host), functions);
}

void InlinedCopies::look_into(const GoFunction& host, std::vector<GoInlinedCode> inlined,
                              std::span<const std::string_view> functions) {
  for (GoInlinedCode& code : inlined) {
    if (std::find(functions.begin(), functions.end(), code.function) == functions.end()) continue;
    std::vector<InlinedCopy>& copies = copies_[code.function];
    if (copies.empty() || copies.back().host != host.name) copies.push_back({host.name, {}});
    copies.back().ranges.push_back(std::move(code));
  }
}

std::vector<InlinedCopy> InlinedCopies::of(std::string_view function) const {
  const auto found = copies_.find(function);
  return found == copies_.end() ? std::vector<InlinedCopy>{} : found->second;
}

}  // namespace mapscope
