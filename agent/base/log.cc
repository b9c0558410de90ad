// SPDX-License-Identifier: Apache-2.0
#include "agent/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <memory>
#include <string>

namespace mapscope {
namespace {

// Texts may quote a target's names, so quotes and backslashes must not end the JSON string.
class JsonTextFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    for (const char c : message.payload) {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(static_cast<unsigned char>(c) < ' ' ? ' ' : c);
    }
  }
  [[nodiscard]] std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<JsonTextFlag>();
  }
};

}  // namespace

Status start_log(std::string_view level, LogFormat format) {
  const spdlog::level::level_enum parsed = spdlog::level::from_str(std::string(level));
  if (level != "debug" && level != "info" && level != "warn" && level != "error") {
    return Error{ErrorKind::kUsage,
                 "unknown log level '" + std::string(level) + "': use debug, info, warn or error"};
  }
  auto logger = spdlog::stderr_color_mt("agent");
  if (format == LogFormat::kJson) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<JsonTextFlag>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l","message":"%*"})");
    logger->set_formatter(std::move(formatter));
  } else {
    logger->set_pattern("agent: %^%l%$: %v");
  }
  logger->set_level(parsed);
  spdlog::set_default_logger(std::move(logger));
  return Done{};
}

}  // namespace mapscope
