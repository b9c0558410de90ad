// SPDX-License-Identifier: Apache-2.0
#include "agent/web/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace mapscope {
namespace {

// Keys are shown in errors: as much of one as helps, without what could break the line.
std::string shown(std::string_view key) {
  constexpr size_t kMost = 60;
  std::string out(key.substr(0, kMost));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return key.size() > kMost ? out + "…" : out;
}

// Looks at a document and keeps nothing of it.
class Nothing final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {}
  void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {}
  void OnMapEnd() override {}
};

}  // namespace

// Not YAML::LoadAll(): before a comma, say, it finds empty documents without end.
YAML::Node read_yaml(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Nothing nothing;
  if (parser.HandleNextDocument(nothing) && parser.HandleNextDocument(nothing))
    throw YamlFault{"the file holds more than one document"};
  return YAML::Load(text);
}

YamlMapping::YamlMapping(const YAML::Node& node, std::string name) : name_(std::move(name)) {
  if (!node.IsDefined() || node.IsNull()) return;
  const std::string what = name_.empty() ? "the file" : name_;
  if (!node.IsMap()) throw YamlFault{what + " is not a mapping", node.Mark().line};
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) throw YamlFault{"a key of " + what + " is not a text"};
    const std::string& key = entry.first.Scalar();
    if (!seen.insert(key).second)
      throw YamlFault{named(key) + " is given twice", entry.first.Mark().line};
    entries_.emplace_back(key, entry.second);
    lines_.push_back(entry.first.Mark().line);
  }
}

YamlMapping::YamlMapping(const YAML::Node& node, std::string name,
                         const std::vector<std::string_view>& known)
    : YamlMapping(node, std::move(name)) {
  for (const auto& [key, value] : entries_) {
    if (std::find(known.begin(), known.end(), key) == known.end()) fail(key, "is not a known key");
  }
}

std::string YamlMapping::named(std::string_view key) const {
  return (name_.empty() ? "" : name_ + ".") + shown(key);
}

void YamlMapping::fail(std::string_view key, const std::string& why) const {
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].first == key) throw YamlFault{named(key) + " " + why, lines_[i]};
  }
  throw YamlFault{named(key) + " " + why};
}

YAML::Node YamlMapping::find(std::string_view key) const {
  for (const auto& [name, value] : entries_) {
    if (name == key && !value.IsNull()) return value;
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

std::string YamlMapping::scalar(std::string_view key, const YAML::Node& node) const {
  if (!node.IsScalar()) fail(key, "is not a text");
  const std::string& text = node.Scalar();
  if (text.find('\0') != std::string::npos) fail(key, "holds a zero byte");
  return text;
}

std::string YamlMapping::text(std::string_view key) const {
  const YAML::Node node = find(key);
  return node.IsDefined() ? scalar(key, node) : "";
}

bool YamlMapping::flag(std::string_view key, bool absent) const {
  const std::string value = text(key);
  if (value.empty()) return absent;
  if (value != "true" && value != "false") fail(key, "is neither true nor false");
  return value == "true";
}

std::vector<std::string> YamlMapping::texts(std::string_view key) const {
  std::vector<std::string> out;
  const YAML::Node node = find(key);
  if (!node.IsDefined()) return out;
  if (!node.IsSequence()) fail(key, "is not a list");
  for (const YAML::Node& entry : node) out.push_back(scalar(key, entry));
  return out;
}

std::vector<std::pair<std::string, std::string>> YamlMapping::entries() const {
  std::vector<std::pair<std::string, std::string>> out;
  out.reserve(entries_.size());
  for (const auto& [key, value] : entries_) out.emplace_back(key, scalar(key, value));
  return out;
}

}  // namespace mapscope
