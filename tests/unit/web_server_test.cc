// SPDX-License-Identifier: Apache-2.0
// Real requests over loopback to the real server.
#include "agent/export/web_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "agent/base/unique_fd.h"
#include "tests/support/http_client.h"
#include "tests/support/poll.h"
#include "tests/support/sample_resize.h"

namespace mapscope {
namespace {

using nlohmann::json;

class WebServerTest : public testing::Test {
 protected:
  [[nodiscard]] WebSources sources() {
    return {&metrics_, &sites_, &recent_, &fatals_, &races_, [this] { return not_ready_; }};
  }
  static Result<WebServer> try_start(const std::string& address, const std::string& path,
                                     WebSources sources) {
    WebOptions options;
    options.listen_addresses = {address};
    options.telemetry_path = path;
    auto setup = WebServer::prepare(options);
    if (!setup) return std::move(setup).error();
    return WebServer::start(options, std::move(*setup), std::move(sources));
  }
  WebServer start(const std::string& address = "127.0.0.1:0",
                  const std::string& path = "/metrics") {
    auto server = try_start(address, path, sources());
    if (!server) ADD_FAILURE() << server.error().text;
    return std::move(server).value();
  }
  std::string start_error(const std::string& address, const std::string& path = "/metrics") {
    const auto server = try_start(address, path, sources());
    return server ? "" : server.error().text;
  }

  Sample sample_;
  MetricTable metrics_;
  SiteTable sites_;
  RecentResizes recent_{1000};
  RecentEvents fatals_;
  RecentEvents races_;
  std::string not_ready_;
};

TEST_F(WebServerTest, HealthyIsOk) {
  const WebServer server = start();
  const HttpAnswer answer = http_get(server.port(), "/-/healthy");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "ok\n");
}

TEST_F(WebServerTest, ReadyWhenTheAgentSaysSo) {
  const WebServer server = start();
  EXPECT_EQ(http_get(server.port(), "/-/ready").status, 200);
}

TEST_F(WebServerTest, NotReadySaysWhy) {
  not_ready_ = "1 of 2 probes is attached";
  const WebServer server = start();
  const HttpAnswer answer = http_get(server.port(), "/-/ready");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "not ready: 1 of 2 probes is attached\n");
}

TEST_F(WebServerTest, MetricsAreServed) {
  metrics_.add(sample_.resize);
  const WebServer server = start();
  const HttpAnswer answer = http_get(server.port(), "/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(answer.headers.at("content-length"), std::to_string(answer.body.size()));
  EXPECT_NE(answer.body.find("mapscope_resizes_total{process=\"store\""), std::string::npos);
}

TEST_F(WebServerTest, TelemetryPathIsConfigurable) {
  const WebServer server = start("127.0.0.1:0", "/custom/metrics");
  EXPECT_EQ(http_get(server.port(), "/custom/metrics").status, 200);
  EXPECT_EQ(http_get(server.port(), "/metrics").status, 404);
  EXPECT_NE(http_get(server.port(), "/").body.find("href=\"/custom/metrics\""), std::string::npos);
  EXPECT_TRUE(server.metrics_urls().front().ends_with("/custom/metrics"));
}

TEST_F(WebServerTest, TakenTelemetryPathIsAUsageError) {
  EXPECT_EQ(start_error("127.0.0.1:0", "/-/ready"),
            "--web.telemetry-path /-/ready: not a free path; use one like /metrics");
  EXPECT_NE(start_error("127.0.0.1:0", "metrics"), "");
  EXPECT_NE(start_error("127.0.0.1:0", "/a\"b"), "");
}

TEST_F(WebServerTest, LandingPageShowsTargetsAndLinks) {
  metrics_.set_targets({sample_.target});
  const WebServer server = start();
  const HttpAnswer answer = http_get(server.port(), "/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "text/html; charset=utf-8");
  for (const char* text : {"Mapscope", "4242", "/usr/bin/store", "attached", "href=\"/metrics\"",
                           "href=\"/api/v1/sites\""}) {
    EXPECT_NE(answer.body.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(http_get(server.port(), "/style.css").headers.at("content-type"),
            "text/css; charset=utf-8");
}

// Two growths of one map, which making it for its entries would have saved.
TEST_F(WebServerTest, LandingPageShowsWhatIsExpensiveAndWhatDied) {
  sites_.add(sample_.resize);
  sample_.resize.old_slots = 1024;
  sample_.resize.new_slots = 2048;
  sample_.resize.entries = 896;
  sites_.add(sample_.resize);
  fatals_.add(sample_.fatal);
  const WebServer server = start();
  const std::string body = http_get(server.port(), "/").body;
  for (const char* text :
       {"width=device-width", "main.(*Store).Put store.go:42", "map[string]*main.Session",
        "2 growths", "76.6 µs", "saves 2 growths", "concurrent map writes of map 0xc000123000"}) {
    EXPECT_NE(body.find(text), std::string::npos) << text << '\n' << body;
  }
  // A table does not fit a telephone.
  EXPECT_EQ(body.find("<table"), std::string::npos);
}

TEST_F(WebServerTest, LandingPageEscapesNamesOfTargets) {
  sample_.target.comm = "<script>alert('1')</script>";
  sample_.target.exe = "\" onload=\"x\xff";
  metrics_.set_targets({sample_.target});
  const WebServer server = start();
  const std::string body = http_get(server.port(), "/").body;
  EXPECT_EQ(body.find("<script"), std::string::npos);
  EXPECT_EQ(body.find("\" onload"), std::string::npos);
  EXPECT_NE(body.find("&lt;script&gt;alert(&#39;1&#39;)"), std::string::npos);
  EXPECT_NE(body.find("&quot; onload=&quot;x\xef\xbf\xbd"), std::string::npos);
}

TEST_F(WebServerTest, EveryAnswerIsLockedDown) {
  const WebServer server = start();
  for (const char* path : {"/", "/metrics", "/api/v1/sites", "/nowhere", "/style.css"}) {
    const HttpAnswer answer = http_get(server.port(), path);
    EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff") << path;
    EXPECT_TRUE(answer.headers.at("content-security-policy").starts_with("default-src 'none';"));
    EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
  }
}

TEST_F(WebServerTest, HeadHasHeadersOnly) {
  const WebServer server = start();
  const HttpAnswer answer = http_get(server.port(), "/-/healthy", "HEAD");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-length"), "3");
  EXPECT_EQ(answer.body, "");
}

TEST_F(WebServerTest, OtherMethodsAreRefused) {
  const WebServer server = start();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const HttpAnswer answer = http_get(server.port(), "/metrics", method);
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.headers.at("allow"), "GET, HEAD");
  }
}

TEST_F(WebServerTest, FilesAreNotServed) {
  const WebServer server = start();
  for (const char* path :
       {"/etc/passwd", "/../../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/api/v1/",
        "/api/v1/nothing", "/metrics/", "/.htpasswd", "/metrics%00"}) {
    EXPECT_EQ(http_get(server.port(), path).status, 404) << path;
  }
}

TEST_F(WebServerTest, BrokenRequestsDoNotEndTheServer) {
  const WebServer server = start();
  for (const std::string& request :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string(100'000, 'A') + "\r\n\r\n",
        std::string("GET /%zz?%00 HTTP/1.1\r\n\r\n"), std::string("\x16\x03\x01\x02\n\n")}) {
    http_exchange("127.0.0.1", server.port(), request);
  }
  EXPECT_EQ(http_get(server.port(), "/-/healthy").status, 200);
}

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
      return json::parse(http_get(server.port(), "/api/v1/" + page + query).body).at(page).size();
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

TEST_F(WebServerTest, BusyPortSaysWhatToDo) {
  const WebServer server = start();
  EXPECT_EQ(start_error(server.address()),
            "cannot listen on " + server.address() +
                ": Address already in use; choose another with --web.listen-address");
}

TEST_F(WebServerTest, ListensOnEveryAddress) {
  const WebServer server = start(":0");
  EXPECT_NE(server.port(), 0);
  EXPECT_EQ(server.address(), ":" + std::to_string(server.port()));
  EXPECT_EQ(server.metrics_urls().front(), "http://localhost" + server.address() + "/metrics");
  EXPECT_EQ(http_get(server.port(), "/-/healthy").status, 200);
}

TEST_F(WebServerTest, ListensOnSeveralAddresses) {
  WebOptions options;
  options.listen_addresses = {"127.0.0.1:0", "127.0.0.2:0"};
  auto setup = WebServer::prepare(options);
  ASSERT_TRUE(setup) << setup.error().text;
  const uint16_t second = setup->listeners[1].address.port;
  const auto server = WebServer::start(options, std::move(*setup), sources());
  ASSERT_TRUE(server);
  EXPECT_EQ(http_get(server->port(), "/-/healthy").status, 200);
  EXPECT_EQ(http_exchange("127.0.0.2", second, "GET /-/healthy HTTP/1.1\r\n\r\n").status, 200);
  EXPECT_EQ(server->metrics_urls().size(), 2U);
  EXPECT_EQ(server->metrics_urls()[1], "http://127.0.0.2:" + std::to_string(second) + "/metrics");
}

TEST_F(WebServerTest, PortIsFreeAgainAfterwards) {
  std::string address;
  {
    const WebServer server = start();
    address = server.address();
  }
  EXPECT_EQ(start_error(address), "");
}

// How many threads of the server there are; each must block the signals.
int count_blocking_threads() {
  int seen = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string name;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Name:\t")) name = line.substr(6);
      if (!name.starts_with("web") || !line.starts_with("SigBlk:\t")) continue;
      ++seen;
      const uint64_t blocked = std::stoull(line.substr(8), nullptr, 16);
      EXPECT_NE(blocked & (1U << (SIGINT - 1)), 0U) << line;
      EXPECT_NE(blocked & (1U << (SIGTERM - 1)), 0U) << line;
    }
  }
  return seen;
}

TEST_F(WebServerTest, ThreadsOfTheServerBlockSignals) {
  const WebServer server = start();
  // They give themselves their names, so not at once.
  EXPECT_TRUE(test::poll_until([] { return count_blocking_threads() >= 2; }));
}

// Reads the head of a large answer and then nothing, while the pipeline goes on.
TEST_F(WebServerTest, SlowReaderDoesNotHoldUpThePipeline) {
  for (int i = 0; i < 1000; ++i) {
    const std::string type = "map" + std::to_string(i) + std::string(150, 'x');
    sample_.resize.map_type = type;
    metrics_.add(sample_.resize);
  }
  const WebServer server = start();
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int small = 4096;
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET /metrics HTTP/1.1\r\n\r\n";
  ASSERT_EQ(send(fd.get(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  std::string text(65536, '\0');
  text.resize(static_cast<size_t>(std::max<ssize_t>(recv(fd.get(), text.data(), 512, 0), 0)));
  ASSERT_TRUE(text.starts_with("HTTP/1.1 200"));

  sample_.resize.map_type = "map0";
  for (int i = 0; i < 1000; ++i) metrics_.add(sample_.resize);
  EXPECT_EQ(http_get(server.port(), "/-/healthy").status, 200);

  // The answer is still being sent: it arrives complete, and was rendered before the last adds.
  std::array<char, 65536> buffer{};
  for (ssize_t n = 0; (n = recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(n));
  }
  const size_t length_at = text.find("Content-Length: ") + 16;
  EXPECT_EQ(text.size() - (text.find("\r\n\r\n") + 4), std::stoul(text.substr(length_at)));
  EXPECT_EQ(text.find("map_type=\"map0\""), std::string::npos);
}

TEST_F(WebServerTest, ConcurrentRequestsWhileResizesAreAdded) {
  const WebServer server = start();
  std::atomic<bool> done = false;
  std::thread pipeline([&] {
    Sample sample;
    for (uint64_t i = 0; !done; ++i) {
      sample.resize.begin_ns = i;
      metrics_.add(sample.resize);
      sites_.add(sample.resize);
      recent_.add(sample.resize);
      if (i % 100 == 0) metrics_.set_targets({sample.target});
    }
  });
  std::vector<std::thread> clients;
  for (const char* path : {"/metrics", "/", "/api/v1/resizes", "/api/v1/sites"}) {
    clients.emplace_back([&server, path] {
      for (int i = 0; i < 10; ++i) {
        const HttpAnswer answer = http_get(server.port(), path);
        EXPECT_EQ(answer.status, 200) << path;
        if (std::string_view(path).starts_with("/api")) {
          EXPECT_TRUE(json::accept(answer.body));
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  done = true;
  pipeline.join();
}

}  // namespace
}  // namespace mapscope
