// SPDX-License-Identifier: Apache-2.0
// What the service manager hears, on a real socket.
#include "agent/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>

#include "tests/support/temporary_directory.h"

namespace mapscope {
namespace {

class ServiceManagerTest : public testing::Test {
 protected:
  void SetUp() override { listen_at(directory_ / "notify"); }
  void listen_at(const std::string& name) {
    socket_ = UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), bytes), 0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  void TearDown() override { unsetenv("NOTIFY_SOCKET"); }
  [[nodiscard]] std::string heard() const {
    std::array<char, 512> text{};
    const ssize_t got = recv(socket_.get(), text.data(), text.size(), MSG_DONTWAIT);
    return got <= 0 ? "" : std::string(text.data(), static_cast<size_t>(got));
  }

  test::TemporaryDirectory directory_;
  UniqueFd socket_;
};

TEST_F(ServiceManagerTest, HearsOfTheWholeLife) {
  ServiceManager manager = ServiceManager::from_environment();
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  manager.ready(2);
  EXPECT_EQ(heard(), "READY=1\nSTATUS=Watching 2 targets\n");
  manager.tick(2, 1);
  EXPECT_EQ(heard(), "");
  manager.tick(1, 2);
  EXPECT_EQ(heard(), "STATUS=Watching 1 target\n");
  manager.stopping();
  EXPECT_EQ(heard(), "STOPPING=1\nSTATUS=Detaching\n");
}

TEST_F(ServiceManagerTest, NameWithoutAFileIsUnderstood) {
  listen_at("@mapscope-test-" + std::to_string(getpid()));
  ServiceManager::from_environment().ready(0);
  EXPECT_EQ(heard(), "READY=1\nSTATUS=Watching 0 targets\n");
}

TEST_F(ServiceManagerTest, WatchdogIsFedTwiceInItsTime) {
  setenv("WATCHDOG_USEC", "2000000", 1);
  ServiceManager manager = ServiceManager::from_environment();
  EXPECT_EQ(std::getenv("WATCHDOG_USEC"), nullptr);
  manager.ready(0);
  std::ignore = heard();
  constexpr uint64_t kBegin = 5'000'000'000;
  manager.tick(0, kBegin);
  EXPECT_EQ(heard(), "WATCHDOG=1\n");
  manager.tick(0, kBegin + 999'999'999);
  EXPECT_EQ(heard(), "");
  manager.tick(0, kBegin + 1'000'000'000);
  EXPECT_EQ(heard(), "WATCHDOG=1\n");
}

TEST_F(ServiceManagerTest, WatchdogOfAnotherProcessIsNotFed) {
  setenv("WATCHDOG_USEC", "2000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  ServiceManager manager = ServiceManager::from_environment();
  manager.ready(0);
  std::ignore = heard();
  manager.tick(0, 1);
  EXPECT_EQ(heard(), "");
}

TEST_F(ServiceManagerTest, WithoutOneNothingHappens) {
  for (const std::string& name : {std::string(), std::string("/"), std::string("relative"),
                                  "/nowhere/" + std::string(200, 'x'), std::string("/nowhere/x")}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    ServiceManager manager = ServiceManager::from_environment();
    manager.ready(1);
    manager.tick(2, 3);
    manager.stopping();
    EXPECT_EQ(heard(), "");
  }
}

}  // namespace
}  // namespace mapscope
