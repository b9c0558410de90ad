// SPDX-License-Identifier: Apache-2.0
#include "agent/option_values.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "agent/base/duration.h"

namespace mapscope {

CLI::Validator at_least(double least, const std::string& wanted) {
  return CLI::Validator(
      [=](const std::string& text) {
        double value = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, value);
        const bool right = error == std::errc() && rest == end && value >= least;
        return right ? std::string() : "'" + text + "' is not " + wanted;
      },
      "");
}

std::string parse_share(const std::string& text, double& share) {
  if (text == "none") {
    share = 0;
    return "";
  }
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, share);
  if (error != std::errc() || std::string_view(rest, static_cast<size_t>(end - rest)) != "%" ||
      !(share > 0 && share <= 100))
    return "'" + text + "' is not a percentage such as 1%, nor none";
  share /= 100;
  return "";
}

void add_duration(CLI::App& app, const std::string& name, std::function<void(uint64_t)> take,
                  const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [name, take = std::move(take)](const std::string& text) {
           const std::optional<uint64_t> ns = parse_duration(text);
           if (!ns)
             throw CLI::ValidationError(
                 name, "'" + text + "' is no duration such as " + std::string(kDurationForms));
           take(*ns);
         },
         help)
      ->type_name("DUR");
}

}  // namespace mapscope
