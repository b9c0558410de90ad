// SPDX-License-Identifier: Apache-2.0
// agent/base/log.h – what the agent says about itself, on standard error.
//
// error: the agent cannot do what it was asked. warn: something is missing or lost. info: a target
// comes or goes. debug: for those who mend the agent. Text for people, or one JSON object a line.
// Threads: any.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>
#include <utility>

#include "agent/base/result.h"

namespace mapscope {

enum class LogFormat { kText, kJson };

// Call once, before the first thread. level: debug, info, warn or error; anything else is a kUsage
// error.
Status start_log(std::string_view level, LogFormat format);

template <typename... Arguments>
void log_debug(spdlog::format_string_t<Arguments...> format, Arguments&&... arguments) {
  spdlog::debug(format, std::forward<Arguments>(arguments)...);
}
template <typename... Arguments>
void log_info(spdlog::format_string_t<Arguments...> format, Arguments&&... arguments) {
  spdlog::info(format, std::forward<Arguments>(arguments)...);
}
template <typename... Arguments>
void log_warn(spdlog::format_string_t<Arguments...> format, Arguments&&... arguments) {
  spdlog::warn(format, std::forward<Arguments>(arguments)...);
}
template <typename... Arguments>
void log_error(spdlog::format_string_t<Arguments...> format, Arguments&&... arguments) {
  spdlog::error(format, std::forward<Arguments>(arguments)...);
}

}  // namespace mapscope
