// SPDX-License-Identifier: Apache-2.0
// agent/web/yaml_reader.h – one mapping of a YAML file, read key by key, where a key that nobody
// asked for is an error.
//
// Errors are thrown as YamlFault, which parse_web_config() catches: it is internal to agent/web.
#pragma once

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mapscope {

struct YamlFault {
  std::string text;
  int line = -1;  // from 0; -1 unknown
};

// The one document of a text; Null when there is none. Throws when there are more, and what the
// library throws.
YAML::Node read_yaml(const std::string& text);

class YamlMapping {
 public:
  // Throws when `node` is neither a mapping nor empty, or names a key twice. `name` is what errors
  // call it; "" is the file itself. `known`: every key that it may have; more are refused.
  YamlMapping(const YAML::Node& node, std::string name, const std::vector<std::string_view>& known);
  // A mapping whose keys are the user's own.
  YamlMapping(const YAML::Node& node, std::string name);

  // Undefined where the key is absent or has no value.
  [[nodiscard]] YAML::Node find(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key) const;  // "" when absent
  [[nodiscard]] bool flag(std::string_view key, bool absent) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;  // of a sequence
  // Keys with their texts, in the order of the file.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> entries() const;

  // Where a key stands and what is wrong with its value.
  [[noreturn]] void fail(std::string_view key, const std::string& why) const;

 private:
  [[nodiscard]] std::string named(std::string_view key) const;
  [[nodiscard]] std::string scalar(std::string_view key, const YAML::Node& node) const;

  std::string name_;
  std::vector<std::pair<std::string, YAML::Node>> entries_;
  std::vector<int> lines_;  // of the keys
};

}  // namespace mapscope
