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
#include "tests/support/web_server_fixture.h"

namespace mapscope {
namespace {

using nlohmann::json;

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
