// SPDX-License-Identifier: Apache-2.0
#include "agent/web/http_message.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

HttpRequest accepted(const std::string& bytes) {
  const auto head = parse_head(bytes);
  EXPECT_TRUE(head) << bytes;
  if (!head) return {};
  EXPECT_EQ(head->refused, 0) << bytes;
  return head->request;
}

int refused(const std::string& bytes) {
  const auto head = parse_head(bytes);
  return head ? head->refused : -1;
}

TEST(HttpHead, IsTakenApart) {
  const HttpRequest request = accepted(
      "GET /a%20b/c?limit=3&x=y HTTP/1.1\r\nHost: h\r\nauthorization:  Basic eA== \r\n\r\n");
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/a b/c");
  EXPECT_EQ(request.query, "limit=3&x=y");
  EXPECT_EQ(request.authorization, "Basic eA==");
}

// Every prefix is incomplete, and none is read beyond its end.
TEST(HttpHead, IsIncompleteUntilTheEmptyLine) {
  const std::string whole = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    const std::string prefix(whole.data(), bytes);
    EXPECT_FALSE(parse_head(prefix)) << prefix;
  }
  EXPECT_EQ(accepted(whole).path, "/");
}

TEST(HttpHead, WhatCannotBecomeARequestIsRefusedAtOnce) {
  EXPECT_EQ(refused("\r\n"), 400);
  EXPECT_EQ(refused("\x16\x03\x01"), 400);
  EXPECT_EQ(refused("get / HTTP/1.1\r\n"), 400);
  EXPECT_EQ(refused("GET /\r\n"), 400);
  EXPECT_EQ(refused("GET x HTTP/1.1\r\n"), 400);
  EXPECT_EQ(refused("GET /%zz HTTP/1.1\r\n"), 400);
  EXPECT_EQ(refused("GET /%4 HTTP/1.1\r\n"), 400);
  EXPECT_EQ(refused("GET /a b HTTP/1.1\r\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/2.0\r\n"), 505);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nno colon\r\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost : h\r\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n"), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b\r\n"), 400);
}

TEST(HttpHead, HasALimit) {
  EXPECT_EQ(refused("GET /" + std::string(kMaxHeadBytes, 'a')), 431);
  std::string many = "GET / HTTP/1.1\r\n";
  while (many.size() < kMaxHeadBytes) many += "A: b\r\n";
  EXPECT_EQ(refused(many), 431);
}

TEST(HttpQuery, ValuesAreFoundAndDecoded) {
  EXPECT_EQ(query_value("limit=3", "limit"), "3");
  EXPECT_EQ(query_value("a=1&limit=%33", "limit"), "3");
  EXPECT_EQ(query_value("limit", "limit"), "");
  EXPECT_EQ(query_value("xlimit=3", "limit"), std::nullopt);
  EXPECT_EQ(query_value("limit=%3", "limit"), std::nullopt);
  EXPECT_EQ(query_value("", "limit"), std::nullopt);
}

TEST(HttpAnswer, ConfiguredHeadersReplaceOurs) {
  const std::string text =
      serialize({200, "text/plain", "body"}, {{"X-Frame-Options", "sameorigin"}}, true);
  EXPECT_NE(text.find("\r\nX-Frame-Options: sameorigin\r\n"), std::string::npos);
  EXPECT_EQ(text.find("DENY"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\nbody"));
  EXPECT_TRUE(serialize({200, "text/plain", "body"}, {}, false).ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace mapscope
