// SPDX-License-Identifier: Apache-2.0
// agent/option_values.h – the kinds of values that options take, each refused in one line that says
// what would be right. The library's own words name the numbers behind choices and types.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mapscope {

template <typename Value>
using Choices = std::vector<std::pair<std::string, Value>>;

template <typename Value>
using Choices = std::vector<std::pair<std::string, Value>>;

// One of a few words, in any case.
template <typename Value>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Value& value,
                        const Choices<Value>& choices, const std::string& help) {
  const auto choose = [name, &value, choices](const std::string& text) {
    std::string all;
    for (const auto& [word, choice] : choices) {
      if (CLI::detail::to_lower(text) == word) {
        value = choice;
        return;
      }
      all += (all.empty() ? "" : ", ") + word;
    }
    throw CLI::ValidationError(name, "'" + text + "' is none of: " + all);
  };
  return app.add_option_function<std::string>(name, choose, help)->type_name("");
}

// A number without anything behind it; `wanted` says of which kind: "a number of seconds".
CLI::Validator at_least(double least, const std::string& wanted);

// "1%", "0.5%", "none" (0), as a share of 1. Returns what is wrong, or "".
std::string parse_share(const std::string& text, double& share);

// "5ms", "1.5s", "5m", or seconds; `take` is given nanoseconds.
void add_duration(CLI::App& app, const std::string& name, std::function<void(uint64_t)> take,
                  const std::string& help);

}  // namespace mapscope
