// SPDX-License-Identifier: Apache-2.0
// Clients that are slow, silent or rude, against the real server over real sockets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "agent/web/http_server.h"
#include "tests/support/http_client.h"
#include "tests/support/poll.h"
#include "tests/support/temporary_directory.h"

namespace mapscope {
namespace {

using test::poll_until;

UniqueFd connect_to(uint16_t port) { return connect_to_server("127.0.0.1", port); }

void say(const UniqueFd& fd, const std::string& text) {
  EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

bool is_closed(const UniqueFd& fd) {
  char byte = 0;
  const ssize_t got = recv(fd.get(), &byte, 1, MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN);
}

class SlowClients : public testing::Test {
 protected:
  void SetUp() override { start(""); }
  void start(const std::string& config) {
    server_.reset();
    auto settings = LiveWebSettings::load(config);
    ASSERT_TRUE(settings) << settings.error().text;
    auto listeners = open_listeners({"127.0.0.1:0"});
    ASSERT_TRUE(listeners) << listeners.error().text;
    auto server = HttpServer::start(std::move(*listeners), std::move(*settings), kMaxAnswers,
                                    [](const HttpRequest& request) -> HttpResponse {
                                      if (request.path == "/large")
                                        return {200, "text/plain", std::string(8UL << 20, 'x')};
                                      if (request.path == "/throws")
                                        throw std::runtime_error("handler");
                                      return {200, "text/plain", "ok"};
                                    });
    ASSERT_TRUE(server) << server.error().text;
    server_ = std::move(*server);
  }
  [[nodiscard]] uint16_t port() const { return server_->listeners().front().address.port; }
  [[nodiscard]] int status(const std::string& path = "/") const {
    return http_get(port(), path).status;
  }

  static constexpr size_t kMaxAnswers = 4;
  std::optional<HttpServer> server_;
};

TEST_F(SlowClients, TwoHundredIdleOnesDoNotHoldUpAScrape) {
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(connect_to(port()));
    ASSERT_TRUE(idle.back().valid());
    if (i % 2 == 0) say(idle.back(), "GET / HT");
    EXPECT_EQ(i % 20 == 0 ? status() : 200, 200);
  }
  EXPECT_EQ(status(), 200);
  for (const UniqueFd& fd : idle) EXPECT_FALSE(is_closed(fd));
}

// A byte now and then does not buy more time: 10 s after it came, the client is shut out.
TEST_F(SlowClients, DribbledRequestIsCutOff) {
  const UniqueFd slow = connect_to(port());
  const auto began = std::chrono::steady_clock::now();
  say(slow, "GET / HTTP/1.1\r\n");
  EXPECT_TRUE(poll_until([&] {
    std::ignore = send(slow.get(), "A: b\r\n", 6, MSG_NOSIGNAL);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return is_closed(slow);
  }));
  EXPECT_GT(std::chrono::steady_clock::now() - began, std::chrono::seconds(9));
}

TEST_F(SlowClients, ReadersThatDoNotReadMakeRoomForNewOnes) {
  std::vector<UniqueFd> readers;
  for (size_t i = 0; i < 3 * kMaxAnswers; ++i) {
    readers.push_back(connect_to(port()));
    say(readers.back(), "GET /large HTTP/1.1\r\n\r\n");
  }
  const HttpAnswer answer = http_get(port(), "/large");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body.size(), 8UL << 20);
}

TEST_F(SlowClients, HalfClosedAndResetOnesAreForgotten) {
  for (int i = 0; i < 100; ++i) {
    const UniqueFd fd = connect_to(port());
    say(fd, i % 2 == 0 ? "GET / HTTP/1.1\r\n" : "GET /large HTTP/1.1\r\n\r\n");
    const linger hard{1, 0};
    if (i % 3 == 0) setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    if (i % 3 == 1) shutdown(fd.get(), SHUT_WR);
  }
  EXPECT_EQ(status(), 200);
}

TEST_F(SlowClients, HugeHeadIsRefused) {
  EXPECT_EQ(http_exchange("127.0.0.1", port(),
                          "GET / HTTP/1.1\r\nA: " + std::string(100'000, 'a') + "\r\n\r\n")
                .status,
            431);
}

TEST_F(SlowClients, ThrowingHandlerIsAnInternalError) {
  EXPECT_EQ(status("/throws"), 500);
  EXPECT_EQ(status(), 200);
}

TEST_F(SlowClients, ServerEndsWhileClientsAreThere) {
  const UniqueFd idle = connect_to(port());
  const UniqueFd reader = connect_to(port());
  say(reader, "GET /large HTTP/1.1\r\n\r\n");
  EXPECT_EQ(status(), 200);
  const auto began = std::chrono::steady_clock::now();
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

constexpr const char* kRight = "GET / HTTP/1.1\r\nAuthorization: Basic dTpwYXNzd29yZA==\r\n\r\n";
constexpr const char* kWrong = "GET / HTTP/1.1\r\nAuthorization: Basic dTp3cm9uZw==\r\n\r\n";

class Passwords : public SlowClients {
 protected:
  void SetUp() override {
    write_config(kHash);
    start(directory_ / "web.yml");
  }
  void write_config(const std::string& hash) {
    std::ofstream(directory_ / "web.yml") << "basic_auth_users:\n  u: " << hash << "\n";
  }
  [[nodiscard]] int ask(const std::string& request) const {
    return http_exchange("127.0.0.1", port(), request).status;
  }

  // Of "password".
  static constexpr const char* kHash =
      "$2b$04$suDCNx7DN0t18Tv6H2JBv.VbinzdGjX2/0OAfipWWnhBCKBHbzVHa";
  test::TemporaryDirectory directory_;
};

TEST_F(Passwords, AreAskedFor) {
  EXPECT_EQ(ask(kRight), 200);
  EXPECT_EQ(ask(kWrong), 401);
  const HttpAnswer none = http_get(port(), "/");
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.headers.at("www-authenticate"), "Basic realm=\"mapscope\"");
  // Who is not let in learns nothing about what there is.
  EXPECT_EQ(http_get(port(), "/", "POST").status, 401);
}

// Whoever writes a file in place empties it first; that must not let anybody in.
TEST_F(Passwords, FileThatIsBeingWrittenIsNotInForce) {
  using Clock = std::chrono::steady_clock;
  EXPECT_TRUE(poll_until([&] {
    const Clock::time_point began = Clock::now();
    std::ofstream(directory_ / "web.yml").flush();
    const int status_meanwhile = http_get(port(), "/").status;
    const bool was_quick = Clock::now() - began < std::chrono::milliseconds(90);
    write_config(kHash);
    // A machine that was busy elsewhere for that long has shown nothing.
    EXPECT_TRUE(!was_quick || status_meanwhile == 401) << status_meanwhile;
    return was_quick;
  }));
}

// Everyone who guesses waits in line; who is known does not.
TEST_F(Passwords, ConcurrentGuessersDoNotHoldUpTheScraper) {
  ASSERT_EQ(ask(kRight), 200);
  std::vector<UniqueFd> guessers;
  for (int i = 0; i < 200; ++i) {
    guessers.push_back(connect_to(port()));
    say(guessers.back(), kWrong);
  }
  EXPECT_EQ(ask(kRight), 200);
}

TEST_F(Passwords, ChangedFileIsInForceAndABrokenOneIsNot) {
  ASSERT_EQ(ask(kRight), 200);
  write_config("broken");
  EXPECT_TRUE(poll_until([&] {
    EXPECT_EQ(ask(kRight), 200);
    return !server_->settings().reload_error().empty();
  }));
  EXPECT_NE(server_->settings().reload_error().find("bcrypt"), std::string::npos);
  std::filesystem::remove(directory_ / "web.yml");
  EXPECT_EQ(ask(kRight), 200);
  EXPECT_NE(server_->settings().reload_error().find("No such file"), std::string::npos);
  std::ofstream(directory_ / "web.yml") << "basic_auth_users: {}\n";
  EXPECT_TRUE(poll_until([&] { return ask(kWrong) == 200; }));
  EXPECT_EQ(server_->settings().reload_error(), "");
}

}  // namespace
}  // namespace mapscope
