// SPDX-License-Identifier: Apache-2.0
// What /api/v1 and the runbooks answer, asked over loopback.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/http_client.h"
#include "tests/support/web_server_fixture.h"

namespace mapscope {
namespace {

using nlohmann::json;

TEST_F(WebServerTest, ResizesAreListedNewestLast) {
  for (uint64_t i = 1; i <= 3; ++i) {
    sample_.resize.begin_ns = i;
    recent_.add(sample_.resize);
  }
  const WebServer server = start();
  const json all = json::parse(http_get(server.port(), "/api/v1/resizes").body).at("resizes");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[2].at("begin_ns"), 3);
  const json one = json::parse(http_get(server.port(), "/api/v1/resizes?limit=1").body);
  ASSERT_EQ(one.at("resizes").size(), 1U);
  EXPECT_EQ(one.at("resizes")[0].at("begin_ns"), 3);
}

TEST_F(WebServerTest, RacesAreListed) {
  races_.add(sample_.race);
  races_.add(sample_.race);
  const WebServer server = start();
  const json all = json::parse(http_get(server.port(), "/api/v1/races").body).at("races");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].at("first").at("goid"), 18);
  EXPECT_EQ(json::parse(http_get(server.port(), "/api/v1/races?limit=1").body).at("races").size(),
            1U);
}

TEST_F(WebServerTest, FatalsAreListed) {
  fatals_.add(sample_.fatal);
  const WebServer server = start();
  const json all = json::parse(http_get(server.port(), "/api/v1/fatals").body).at("fatals");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].at("message"), "concurrent map writes");
}

// Each page of /api/v1 has something of the process "store" and nothing of another.
TEST_F(WebServerTest, EveryPageCanBeOfOneProcess) {
  fatals_.add(sample_.fatal);
  races_.add(sample_.race);
  recent_.add(sample_.resize);
  sites_.add(sample_.resize);
  metrics_.set_targets({sample_.target});
  const WebServer server = start();
  for (const std::string page : {"fatals", "races", "resizes", "sites", "targets"}) {
    const auto count = [&](const std::string& query) {
      const std::string address = std::string("/api/v1/").append(page).append(query);
      return json::parse(http_get(server.port(), address).body).at(page).size();
    };
    EXPECT_EQ(count("?process=store"), 1U) << page;
    EXPECT_EQ(count("?limit=5&process=st%6fre"), 1U) << page;
    EXPECT_EQ(count("?process=other"), 0U) << page;
    EXPECT_EQ(count("?limit=0&process=store"), 0U) << page;
  }
}

TEST_F(WebServerTest, RunbooksAreServed) {
  const WebServer server = start();
  const HttpAnswer answer = http_get(server.port(), "/runbooks/MapscopeMapFatal");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_NE(answer.body.find("<title>MapscopeMapFatal</title>"), std::string::npos);
  EXPECT_NE(answer.body.find("<ol>\n<li>"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("<code>/api/v1/fatals</code>"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.body.find('`'), std::string::npos);
  // A section of its own for each; nothing of the next one.
  EXPECT_EQ(answer.body.find("## "), std::string::npos);
  EXPECT_EQ(http_get(server.port(), "/runbooks/MapscopeMap").status, 404);
  EXPECT_EQ(http_get(server.port(), "/runbooks/").status, 404);
  EXPECT_NE(http_get(server.port(), "/").body.find("href=\"/runbooks/MapscopeMapFatal\""),
            std::string::npos);
}

TEST_F(WebServerTest, WithoutRacesThereAreNone) {
  WebSources without = sources();
  without.races = nullptr;
  without.fatals = nullptr;
  const auto server = try_start("127.0.0.1:0", "/metrics", without);
  ASSERT_TRUE(server);
  EXPECT_EQ(http_get(server->port(), "/api/v1/races").body, "{\"races\":[]}\n");
}

TEST_F(WebServerTest, BadLimitIsRefused) {
  const WebServer server = start();
  for (const char* limit : {"", "x", "-1", "1x", "99999999999999999999", "1%00"}) {
    const HttpAnswer answer =
        http_get(server.port(), std::string("/api/v1/resizes?limit=") + limit);
    EXPECT_EQ(answer.status, 400) << limit;
    EXPECT_TRUE(json::accept(answer.body)) << limit;
  }
}

TEST_F(WebServerTest, SitesAreListed) {
  sites_.add(sample_.resize);
  const WebServer server = start();
  const HttpAnswer answer = http_get(server.port(), "/api/v1/sites");
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  const json all = json::parse(answer.body).at("sites");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].at("function"), "main.(*Store).Put");
  EXPECT_EQ(all[0].at("advice").at("reserve"), 449);
  EXPECT_EQ(json::parse(http_get(server.port(), "/api/v1/sites?limit=0").body).at("sites").size(),
            0U);
}

TEST_F(WebServerTest, TargetsAreListed) {
  metrics_.set_targets({sample_.target});
  const WebServer server = start();
  const json all = json::parse(http_get(server.port(), "/api/v1/targets").body).at("targets");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0], json::parse(R"({"pid": 4242, "comm": "store", "exe": "/usr/bin/store",
    "build_id": "c0ffee", "runtime": "go_swiss", "version": "go1.27.4", "state": "attached",
    "probes": 3})"));
}

TEST_F(WebServerTest, PartlySeenTargetSaysWhatIsMissing) {
  sample_.target.unseen = {"<script>"};
  metrics_.set_targets({sample_.target});
  const WebServer server = start();
  const json all = json::parse(http_get(server.port(), "/api/v1/targets").body).at("targets");
  EXPECT_EQ(all[0].at("unseen"), json::parse(R"(["<script>"])"));
  EXPECT_NE(http_get(server.port(), "/").body.find("not seen: &lt;script&gt;"), std::string::npos);
}

}  // namespace
}  // namespace mapscope
