// SPDX-License-Identifier: Apache-2.0
// agent/web/http_message.h – HTTP/1.1 requests without a body, and answers.
//
// Source: RFC 9110, RFC 9112. Any bytes may come in.
// Threads: pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mapscope {

inline constexpr size_t kMaxHeadBytes = 16384;

struct HttpRequest {
  std::string method;
  std::string path;           // percent-decoded; starts with '/'
  std::string query;          // as it came, without the '?'
  std::string authorization;  // "" when there is none
};

struct HttpResponse {
  int status = 200;
  std::string_view type;  // of the body; static storage
  std::string body;
};

struct HttpHead {
  int refused = 0;  // 0, or the status to refuse it with: 400, 431, 505
  HttpRequest request;
};

// nullopt: incomplete, more has to come. What cannot become a request is refused as early as it is
// seen.
std::optional<HttpHead> parse_head(std::string_view bytes);

// Names and schemes are the same in any case.
bool equal_names(std::string_view a, std::string_view b);

// nullopt when a % is not followed by two hex digits.
std::optional<std::string> percent_decoded(std::string_view text);

// The first value of a name in "a=1&b=2", decoded; nullopt when it is not there or malformed.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

// A whole answer, always with Content-Length and Connection: close. Header names in `configured`
// replace ours of the same name.
std::string serialize(const HttpResponse& response,
                      const std::vector<std::pair<std::string, std::string>>& configured,
                      bool with_body);

}  // namespace mapscope
