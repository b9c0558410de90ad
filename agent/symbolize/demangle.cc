// SPDX-License-Identifier: Apache-2.0
#include "agent/symbolize/demangle.h"

// Or libiberty declares another basename().
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>

namespace mapscope {
namespace {

constexpr size_t kMaxMangledBytes = 1024;
constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxTemplateArgumentBytes = 40;
constexpr std::string_view kEllipsis = "…";

// With the return type, which is left out, and arguments.
constexpr size_t kMaxDemangledBytes = 16 * kMaxNameBytes;

struct Full {};

void append_part(const char* part, size_t bytes, void* text) {
  auto& all = *static_cast<std::string*>(text);
  all.append(part, bytes);
  if (all.size() > kMaxDemangledBytes) throw Full{};
}

// Cut off where it gets too long: each substitution may double a name, so that a kilobyte makes
// more than there is memory, and abi::__cxa_demangle tries. Between here and append_part() are
// frames that own nothing.
std::optional<std::string> demangle_whole(const char* symbol) {
  std::string text;
  try {
    if (cplus_demangle_v3_callback(symbol, DMGL_PARAMS | DMGL_TYPES, append_part, &text) == 0)
      return {};
  } catch (const Full&) {
  }
  return text;
}

// Where the parts of a demangled name are.
struct Parts {
  size_t name = 0;       // after the return type
  size_t arguments = 0;  // their '(', or the end
};

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

bool starts_operator(std::string_view text, size_t at) {
  constexpr std::string_view kOperator = "operator";
  const size_t after = at + kOperator.size();
  return text.substr(at).starts_with(kOperator) && (at == 0 || !is_word(text[at - 1])) &&
         (after >= text.size() || !is_word(text[after]));
}

// Past the operator's own characters, some of which look like brackets.
size_t skip_operator(std::string_view text, size_t at) {
  at += std::string_view("operator").size();
  if (text.substr(at).starts_with("()")) return at + 2;
  if (at < text.size() && text[at] == ' ') return std::min(text.find('(', at), text.size());
  while (at < text.size() && text[at] != '(' &&
         std::ispunct(static_cast<unsigned char>(text[at])) != 0)
    ++at;
  return at;
}

size_t skip_group(std::string_view text, size_t at) {
  int depth = 0;
  for (; at < text.size(); ++at) {
    if (starts_operator(text, at))
      at = skip_operator(text, at) - 1;
    else if (std::strchr("<([{", text[at]) != nullptr)
      ++depth;
    else if (std::strchr(">)]}", text[at]) != nullptr && text[at - 1] != '-' && --depth == 0)
      return at + 1;
  }
  return text.size();
}

// "(anonymous namespace)" and "decltype (…)" are not argument lists.
bool is_argument_list(std::string_view text, size_t at) {
  // "main.(*Store).Put": a receiver, in languages that separate by dots.
  if (at > 0 && text[at - 1] == '.') return false;
  const std::string_view before = text.substr(0, at);
  return !text.substr(at).starts_with("(anonymous namespace)") && !before.ends_with("decltype") &&
         !before.ends_with("decltype ");
}

Parts split(std::string_view text) {
  Parts parts{0, text.size()};
  bool in_operator = false;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (starts_operator(text, at)) {
      at = skip_operator(text, at);
      in_operator = true;
    } else if (c == '(' && is_argument_list(text, at)) {
      parts.arguments = at;
      return parts;
    } else if (std::strchr("<([{", c) != nullptr) {
      at = skip_group(text, at);
    } else {
      if (c == ' ' && !in_operator) parts.name = at + 1;
      ++at;
    }
  }
  return parts;
}

}  // namespace

std::string demangle(const char* symbol) {
  const std::string_view raw = symbol;
  if (!raw.starts_with("_Z") || raw.size() > kMaxMangledBytes)
    return std::string(raw.substr(0, kMaxMangledBytes));
  const auto text = demangle_whole(symbol);
  if (!text) return std::string(raw);
  std::string_view name = *text;
  const Parts parts = split(name);
  // An argument list that begins where the name should be: a function pointer is returned. Leave
  // that whole.
  if (parts.name < parts.arguments) name.remove_prefix(parts.name);
  if (name.size() <= kMaxNameBytes) return std::string(name);
  return std::string(name.substr(0, kMaxNameBytes - kEllipsis.size())).append(kEllipsis);
}

std::string readable_function(std::string_view function) {
  const std::string_view name = function.substr(0, split(function).arguments);
  std::string result;
  for (size_t at = 0; at < name.size();) {
    const size_t end = starts_operator(name, at) ? skip_operator(name, at)
                       : name[at] == '<'         ? skip_group(name, at)
                                                 : at + 1;
    if (name[at] == '<' && end - at > kMaxTemplateArgumentBytes + 2) {
      result.append("<").append(kEllipsis).append(">");
    } else {
      result.append(name.substr(at, end - at));
    }
    at = end;
  }
  return result;
}

}  // namespace mapscope
