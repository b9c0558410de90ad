// SPDX-License-Identifier: Apache-2.0
#include "agent/web/http_message.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace mapscope {
namespace {

using Header = std::pair<std::string_view, std::string_view>;

constexpr std::array<Header, 5> kHeaders = {
    {{"Cache-Control", "no-store"},
     {"X-Content-Type-Options", "nosniff"},
     {"X-Frame-Options", "DENY"},
     {"Referrer-Policy", "no-referrer"},
     {"Content-Security-Policy",
      "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
      "frame-ancestors 'none'"}}};

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

// Of a line feed, with the carriage return before it.
std::string_view take_line(std::string_view& rest) {
  const size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// "GET /path?query HTTP/1.1". 0, or the status to refuse it with.
int parse_request_line(std::string_view line, HttpRequest& request) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first) return 400;
  request.method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!std::all_of(request.method.begin(), request.method.end(), is_upper)) return 400;
  if (!target.starts_with('/') || target.find(' ') != std::string_view::npos) return 400;
  if (std::any_of(target.begin(), target.end(), is_control)) return 400;
  if (!version.starts_with("HTTP/") || version.size() != 8) return 400;
  if (!version.starts_with("HTTP/1.")) return 505;
  target = target.substr(0, target.find('#'));
  const size_t mark = target.find('?');
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  auto path = percent_decoded(target.substr(0, mark));
  if (!path) return 400;
  request.path = std::move(*path);
  return 0;
}

bool take_header(std::string_view line, HttpRequest& request) {
  const size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  // A blank before the colon or a line that goes on is how requests are smuggled.
  if (name.find_first_of(" \t") != std::string_view::npos) return false;
  if (!equal_names(name, "authorization")) return true;
  if (!request.authorization.empty()) return false;
  request.authorization = trimmed(line.substr(colon + 1));
  return true;
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

}  // namespace

bool equal_names(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<HttpHead> parse_head(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  if (!is_upper(bytes.front())) return HttpHead{400, {}};
  const std::string_view head = bytes.substr(0, kMaxHeadBytes);
  const HttpHead too_large{431, {}};
  std::string_view rest = head;
  HttpHead out;
  if (rest.find('\n') != std::string_view::npos)
    out.refused = parse_request_line(take_line(rest), out.request);
  if (out.refused != 0) return out;
  while (rest.find('\n') != std::string_view::npos) {
    const std::string_view line = take_line(rest);
    if (line.empty()) return out;
    if (!take_header(line, out.request)) return HttpHead{400, {}};
  }
  if (bytes.size() >= kMaxHeadBytes) return too_large;
  return std::nullopt;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    uint8_t byte = 0;
    const char* const end = text.data() + i + 3;
    const auto [rest, error] = std::from_chars(end - 2, end, byte, 16);
    if (error != std::errc() || rest != end) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name)
      return percent_decoded(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return std::nullopt;
}

std::string serialize(const HttpResponse& response,
                      const std::vector<std::pair<std::string, std::string>>& configured,
                      bool with_body) {
  std::string out =
      "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(reason_of(response.status));
  out += "\r\n";
  append_header(out, "Content-Type", response.type);
  append_header(out, "Content-Length", std::to_string(response.body.size()));
  append_header(out, "Connection", "close");
  for (const auto& [name, value] : kHeaders) {
    const std::string_view ours = name;
    const bool replaced = std::any_of(configured.begin(), configured.end(),
                                      [&](const auto& entry) { return entry.first == ours; });
    if (!replaced) append_header(out, name, value);
  }
  for (const auto& [name, value] : configured) append_header(out, name, value);
  if (response.status == 401) append_header(out, "WWW-Authenticate", "Basic realm=\"mapscope\"");
  if (response.status == 405) append_header(out, "Allow", "GET, HEAD");
  out += "\r\n";
  if (with_body) out += response.body;
  return out;
}

}  // namespace mapscope
