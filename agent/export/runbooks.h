// SPDX-License-Identifier: Apache-2.0
// agent/export/runbooks.h – what to do when an alert fires, as the agent itself serves it: the
// sections of docs/runbooks.md, which is part of the program. Threads: pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

// The names of the alerts, in the order of the file.
std::vector<std::string_view> runbook_names();
// The page of one alert; nullopt: there is none of that name.
std::optional<std::string> runbook_page(std::string_view name);

}  // namespace mapscope
