// SPDX-License-Identifier: Apache-2.0
#include "agent/binary/go_build_info.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

namespace mapscope {
namespace {

constexpr std::string_view kMagic = "\xff Go buildinf:";
constexpr uint64_t kHeaderBytes = 32;
constexpr uint64_t kAlignment = 16;
constexpr size_t kFlagsAt = 15;
constexpr uint8_t kInline = 2;
constexpr uint64_t kMaxVersionBytes = 1 << 10;
constexpr uint64_t kMaxModuleBytes = 1 << 20;
constexpr uint64_t kMaxSearchedBytes = 16 << 20;
constexpr size_t kSentinelBytes = 16;  // before and after the module text
constexpr size_t kMaxExperiments = 64;

std::string text_at(const ImageBytes& bytes, uint64_t vaddr, uint64_t length, uint64_t limit) {
  if (length > limit || length > bytes.available(vaddr)) return "";
  std::string text(length, '\0');
  if (bytes.read(vaddr, std::as_writable_bytes(std::span(text))) != length) return "";
  return text;
}

// A Go string header: address and length.
std::string string_at(const ImageBytes& bytes, uint64_t pointer_at, uint64_t limit) {
  const auto header = bytes.load<uint64_t>(pointer_at);
  if (!header) return "";
  const auto text = bytes.load<uint64_t>(*header);
  const auto length = bytes.load<uint64_t>(*header + 8);
  return text && length ? text_at(bytes, *text, *length, limit) : "";
}

bool is_build_info(const ImageBytes& bytes, uint64_t vaddr) {
  char magic[kMagic.size()];
  return bytes.read(vaddr, std::as_writable_bytes(std::span(magic))) == sizeof(magic) &&
         std::string_view(magic, sizeof(magic)) == kMagic;
}

std::optional<uint64_t> search(const ImageBytes& bytes) {
  uint64_t left = kMaxSearchedBytes;
  for (const LoadSegment& segment : bytes.segments()) {
    if (!segment.writable) continue;
    const uint64_t start = align_up(segment.vaddr, kAlignment);
    const uint64_t end = segment.vaddr + std::min(segment.bytes, left);
    left -= std::min(segment.bytes, left);
    for (uint64_t at = start; at < end && end - at >= kHeaderBytes; at += kAlignment) {
      if (is_build_info(bytes, at)) return at;
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> find(const ElfImage& image, const ImageBytes& bytes) {
  if (const auto section = image.find_section(".go.buildinfo")) return section->vaddr;
  if (image.has_sections()) return std::nullopt;
  return search(bytes);
}

void add_experiments(GoBuild* build, std::string_view list) {
  while (!list.empty() && build->experiments.size() < kMaxExperiments) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(name.size() + 1, list.size()));
    const bool known = std::find(build->experiments.begin(), build->experiments.end(), name) !=
                       build->experiments.end();
    if (!name.empty() && !known) build->experiments.emplace_back(name);
  }
}

// The linker quotes what has a space or a quote in it, as strconv.Quote does.
std::string unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::string(value);
  value = value.substr(1, value.size() - 2);
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
}

void read_settings(GoBuild* build, std::string_view module) {
  constexpr std::string_view kExperiment = "build\tGOEXPERIMENT=";
  constexpr std::string_view kPath = "path\t";
  constexpr std::string_view kModule = "mod\t";
  constexpr std::string_view kProfile = "build\t-pgo=";
  constexpr std::string_view kCompilerFlags = "build\t-gcflags=";
  if (module.size() < 2 * kSentinelBytes) return;
  module = module.substr(kSentinelBytes, module.size() - 2 * kSentinelBytes);
  while (!module.empty()) {
    const std::string_view line = module.substr(0, module.find('\n'));
    module.remove_prefix(std::min(line.size() + 1, module.size()));
    if (line.starts_with("build\t")) build->has_settings = true;
    if (line.starts_with(kPath) && build->main_module.empty())
      build->main_module = line.substr(kPath.size());
    if (line.starts_with(kModule)) {
      const std::string_view path = line.substr(kModule.size());
      build->main_module = path.substr(0, path.find('\t'));
    }
    if (line.starts_with(kExperiment)) add_experiments(build, line.substr(kExperiment.size()));
    if (line.starts_with(kProfile)) build->profile = unquoted(line.substr(kProfile.size()));
    const bool given_by_hand =
        line.starts_with(kCompilerFlags) && line.find("-pgoprofile") != std::string::npos;
    if (given_by_hand && build->profile.empty()) build->profile = "-gcflags";
  }
}

std::optional<int> number(std::string_view* text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return value;
}

}  // namespace

std::optional<GoVersion> parse_go_version(std::string_view text) {
  const size_t at = text.starts_with("devel ") ? 6 : 0;
  text.remove_prefix(at);
  if (!text.starts_with("go")) return std::nullopt;
  text.remove_prefix(2);
  GoVersion version;
  const auto major = number(&text);
  if (!major || !text.starts_with('.')) return std::nullopt;
  text.remove_prefix(1);
  const auto minor = number(&text);
  if (!minor) return std::nullopt;
  version.major = *major;
  version.minor = *minor;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    version.patch = number(&text).value_or(0);
  }
  return version;
}

// Experiments stand behind the version: "go1.25.0 X:jsonv2", since 1.26 "go1.26.0-X:jsonv2".
void set_go_version(GoBuild* build, std::string text) {
  const size_t mark = text.find("X:");
  if (mark != std::string::npos && mark > 0 && (text[mark - 1] == ' ' || text[mark - 1] == '-')) {
    const std::string_view list = std::string_view(text).substr(mark + 2);
    add_experiments(build, list.substr(0, list.find(' ')));
  }
  build->version = parse_go_version(text).value_or(GoVersion{});
  build->text = std::move(text);
}

std::optional<GoBuild> read_go_build(const ElfImage& image, const ImageBytes& bytes) {
  const auto at = find(image, bytes);
  if (!at) return std::nullopt;
  GoBuild build;
  const auto flags = bytes.load<uint8_t>(*at + kFlagsAt);
  if (!is_build_info(bytes, *at) || !flags) return build;
  std::string text;
  std::string module;
  if ((*flags & kInline) != 0) {
    ByteCursor cursor(bytes, *at + kHeaderBytes, UINT64_MAX);
    const uint64_t length = cursor.uvarint().value_or(0);
    text = text_at(bytes, cursor.vaddr(), length, kMaxVersionBytes);
    ByteCursor rest(bytes, cursor.vaddr() + length, UINT64_MAX);
    const uint64_t rest_length = rest.uvarint().value_or(0);
    module = text_at(bytes, rest.vaddr(), rest_length, kMaxModuleBytes);
  } else {
    text = string_at(bytes, *at + 16, kMaxVersionBytes);
    module = string_at(bytes, *at + 24, kMaxModuleBytes);
  }
  set_go_version(&build, std::move(text));
  read_settings(&build, module);
  return build;
}

}  // namespace mapscope
