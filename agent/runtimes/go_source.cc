// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_source.h"

#include <algorithm>
#include <array>

namespace mapscope {
namespace {

// Source: the folders of golang/go src/ at go1.19.8 to go1.27.4.
constexpr std::array<std::string_view, 53> kStandard = {
    "archive",   "arena",   "bufio",   "builtin",  "bytes",   "cmd",     "cmp",      "compress",
    "container", "context", "crypto",  "database", "debug",   "embed",   "encoding", "errors",
    "expvar",    "flag",    "fmt",     "go",       "hash",    "html",    "image",    "index",
    "internal",  "io",      "iter",    "log",      "maps",    "math",    "mime",     "net",
    "os",        "path",    "plugin",  "reflect",  "regexp",  "runtime", "slices",   "sort",
    "strconv",   "strings", "structs", "sync",     "syscall", "testing", "text",     "time",
    "unicode",   "unique",  "unsafe",  "vendor",   "weak"};

constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./%-~";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kShape = "go.shape.";

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kDigits) == std::string_view::npos;
}

bool is_version(std::string_view element) {
  return element.starts_with('v') && is_number(element.substr(1));
}

std::string_view last_element(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "init" of variables, "init.0" of a function; what they define ("init.0.func1", since 1.21
// "init.func1") may be called whenever.
bool is_init(std::string_view name) {
  return name == "init" || (name.starts_with("init.") && is_number(name.substr(5)));
}

// One name of a type: "int", "main.Session", "github.com/x/store.Key", "go.shape.int64".
std::string name_in_source(std::string_view name, std::string_view package_name) {
  if (name.starts_with(kShape)) {
    name.remove_prefix(kShape.size());
    const size_t end = name.rfind('_');
    return std::string(is_number(name.substr(end + 1)) ? name.substr(0, end) : name);
  }
  name = last_element(name);
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::string(name);
  const std::string_view qualifier = go_package_name(name.substr(0, dot));
  const std::string_view own = name.substr(dot + 1);
  if (qualifier == package_name) return std::string(own);
  return std::string(qualifier) + "." + std::string(own);
}

}  // namespace

std::string_view go_package_of(std::string_view function) {
  // Type parameters have paths of their own.
  const size_t slash = function.substr(0, function.find_first_of("[(")).rfind('/');
  const size_t dot = function.find('.', slash == std::string_view::npos ? 0 : slash);
  return dot == std::string_view::npos ? std::string_view() : function.substr(0, dot);
}

std::string_view go_package_name(std::string_view package) {
  std::string_view name = last_element(package);
  if (is_version(name) && name.size() < package.size())
    name = last_element(package.substr(0, package.size() - name.size() - 1));
  name = name.substr(0, name.find("%2e"));
  const size_t dot = name.rfind('.');
  return dot != std::string_view::npos && is_version(name.substr(dot + 1)) ? name.substr(0, dot)
                                                                           : name;
}

std::string go_type_in_source(std::string_view type, std::string_view package) {
  const std::string_view package_name = go_package_name(package);
  std::string text;
  for (size_t at = 0; at < type.size();) {
    if (type[at] == '"') {  // the tag of a field
      size_t end = at + 1;
      while (end < type.size() && type[end] != '"') end += type[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, type.size());
      text += type.substr(at, end - at);
      at = end;
      continue;
    }
    const size_t end = std::min(type.find_first_not_of(kNameCharacters, at), type.size());
    if (end == at) {
      text += type[at++];
      continue;
    }
    // "...int" of a function, "<-chan int": no names.
    const std::string_view word = type.substr(at, end - at);
    const size_t begin = std::min(word.find_first_not_of(".-"), word.size());
    text += word.substr(0, begin);
    text += name_in_source(word.substr(begin), package_name);
    at = end;
  }
  return text;
}

CodeOrigin go_origin(std::string_view function) {
  const std::string_view package = go_package_of(function);
  const std::string_view root = package.substr(0, package.find('/'));
  CodeOrigin origin;
  origin.standard_library = std::find(kStandard.begin(), kStandard.end(), root) != kStandard.end();
  const bool runs_inits = function == "runtime.doInit" || function == "runtime.doInit1";
  origin.at_init = runs_inits || (!package.empty() && is_init(function.substr(package.size() + 1)));
  return origin;
}

std::string go_make_advice(std::string_view map_type, uint64_t entries, std::string_view function) {
  const std::string type = map_type.empty() ? std::string("map[…]…")
                                            : go_type_in_source(map_type, go_package_of(function));
  return "make(" + type + ", " + std::to_string(entries) + ")";
}

}  // namespace mapscope
