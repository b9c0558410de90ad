// SPDX-License-Identifier: Apache-2.0
// The agent under a service manager that is this test: readiness, watchdog, sockets, the end; and
// with more clients than it has places.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "agent/web/http_server.h"
#include "agent/web/listeners.h"
#include "tests/support/live_agent.h"
#include "tests/support/live_target.h"
#include "tests/support/poll.h"
#include "tests/support/temporary_directory.h"

namespace mapscope::test {
namespace {

// What arrived at a socket of datagrams so far, in one text.
class NotifySocket {
 public:
  NotifySocket() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().data(), path().size());
    if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) std::abort();
  }
  [[nodiscard]] std::string path() const { return directory_ / "notify"; }
  [[nodiscard]] bool has_heard(const std::string& words) {
    std::array<char, 512> text{};
    for (ssize_t got = 0; (got = recv(fd_.get(), text.data(), text.size(), MSG_DONTWAIT)) > 0;)
      heard_.append(text.data(), static_cast<size_t>(got));
    return heard_.find(words) != std::string::npos;
  }
  [[nodiscard]] const std::string& heard() const { return heard_; }

 private:
  TemporaryDirectory directory_;
  UniqueFd fd_;
  std::string heard_;
};

TEST(Service, HearsOfReadinessLifeAndTheEnd) {
  NotifySocket manager;
  LiveTarget target({"--inserts", "1000"});
  LiveAgent agent({"--pid", target.pid_text()}, {.before_exec = [path = manager.path()] {
                    setenv("NOTIFY_SOCKET", path.c_str(), 1);
                    setenv("WATCHDOG_USEC", "400000", 1);
                  }});
  EXPECT_TRUE(poll_until([&] { return manager.has_heard("READY=1\nSTATUS=Watching 1 target\n"); }))
      << manager.heard();
  EXPECT_TRUE(poll_until([&] { return manager.has_heard("WATCHDOG=1\nWATCHDOG=1\n"); }))
      << manager.heard();
  EXPECT_FALSE(manager.has_heard("STOPPING"));
  ASSERT_EQ(target.run(), 0);
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_TRUE(manager.has_heard("STOPPING=1\n")) << manager.heard();
}

TEST(Service, TakesTheSocketsThatItIsGiven) {
  const auto sockets = open_listeners({"127.0.0.1:0", "127.0.0.1:0"});
  ASSERT_TRUE(sockets) << sockets.error().text;
  LiveTarget target({"--inserts", "1"});
  const auto activate = [&] {
    // The first may stand where the second has to go.
    const int first = dup((*sockets)[0].fd.get());
    const int second = dup((*sockets)[1].fd.get());
    dup2(first, 100);
    dup2(second, 101);
    dup2(100, 3);
    dup2(101, 4);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  };
  LiveAgent agent({"--web.systemd-socket", "--pid", target.pid_text()}, {.before_exec = activate});
  EXPECT_EQ(agent.port(), (*sockets)[0].address.port);
  EXPECT_EQ(http_get((*sockets)[1].address.port, "/-/ready").status, 200);
}

TEST(Service, WithoutASocketSaysWhatToDo) {
  ChildProcess agent({agent_path(), "--web.systemd-socket", "--pid", "1"});
  EXPECT_EQ(agent.wait(), 2);
  EXPECT_NE(agent.err().text().find("the service manager gave no socket"), std::string::npos);
}

TEST(Service, ScrapeIsAnsweredHoweverManyClientsAreSilent) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  setrlimit(RLIMIT_NOFILE, &limit);
  LiveTarget target({"--inserts", "1"});
  LiveAgent agent(target);
  std::vector<UniqueFd> silent;
  for (size_t i = 0; i < HttpServer::kMaxConnections + 100; ++i) {
    silent.push_back(connect_to_server("127.0.0.1", agent.port()));
    ASSERT_TRUE(silent.back().valid()) << i;
    if (i % 2 == 0) send(silent.back().get(), "GET /me", 7, MSG_NOSIGNAL);
  }
  EXPECT_EQ(agent.get("/metrics").status, 200);
  EXPECT_LE(agent.metric("process_open_fds"), HttpServer::kMaxConnections + 100);
}

}  // namespace
}  // namespace mapscope::test
