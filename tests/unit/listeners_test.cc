// SPDX-License-Identifier: Apache-2.0
#include "agent/web/listeners.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/support/http_client.h"

namespace mapscope {
namespace {

Error refusal(const std::string& address) {
  const auto opened = open_listeners({address});
  EXPECT_FALSE(opened) << address;
  return opened ? Error{} : opened.error();
}

TEST(Listeners, BadAddressIsAUsageError) {
  for (const char* address :
       {"", "9847", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", ":x", ":-1", "::1:9847",
        "[127.0.0.1]:1", "[::1]", "[]:1", "no such host:1", "127.0.0.1:1,0.0.0.0:2", "unix:x"}) {
    const Error error = refusal(address);
    EXPECT_EQ(error.kind, ErrorKind::kUsage) << error.text;
    EXPECT_EQ(error.text.find('\n'), std::string::npos);
  }
}

TEST(Listeners, ForeignAddressSaysWhatToDo) {
  EXPECT_EQ(refusal("192.0.2.1:9847").text,
            "cannot listen on 192.0.2.1:9847: Cannot assign requested address; choose another with "
            "--web.listen-address");
}

// A machine without IPv6 has no such address.
bool has_ipv6() {
  std::ifstream addresses("/proc/net/if_inet6");
  return addresses.peek() != std::ifstream::traits_type::eof();
}

TEST(Listeners, Ipv6OrSaysWhyNot) {
  const auto opened = open_listeners({"[::1]:0"});
  ASSERT_EQ(opened.ok(), has_ipv6());
  if (opened) {
    EXPECT_EQ(opened->front().address.host, "::1");
    EXPECT_TRUE(connect_to_server("::1", opened->front().address.port).valid());
  } else {
    EXPECT_TRUE(opened.error().text.starts_with("cannot listen on [::1]:0: "));
  }
}

TEST(Listeners, EveryAddressMeansBothFamilies) {
  const auto opened = open_listeners({":0"});
  ASSERT_TRUE(opened) << opened.error().text;
  const uint16_t port = opened->front().address.port;
  EXPECT_NE(port, 0);
  EXPECT_EQ(opened->front().address.text(), ":" + std::to_string(port));
  EXPECT_TRUE(connect_to_server("127.0.0.1", port).valid());
  EXPECT_EQ(connect_to_server("::1", port).valid(), has_ipv6());
}

TEST(Listeners, NameOfThisMachineIsResolved) {
  const auto opened = open_listeners({"localhost:0"});
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_EQ(opened->front().address.host, "127.0.0.1");
}

TEST(Listeners, OneThatCannotBeOpenedClosesAll) {
  const auto first = open_listeners({"127.0.0.1:0"});
  ASSERT_TRUE(first);
  const std::string taken = first->front().address.text();
  EXPECT_FALSE(open_listeners({"127.0.0.2:0", taken}));
}

TEST(Listeners, NobodyGaveAny) {
  EXPECT_FALSE(take_activated_listeners());
  for (const char* count : {"0", "-1", "x", "", "100000"}) {
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    const auto taken = take_activated_listeners();
    ASSERT_FALSE(taken) << count;
    EXPECT_EQ(taken.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr);
  }
  // Meant for another process.
  setenv("LISTEN_FDS", "1", 1);
  setenv("LISTEN_PID", "1", 1);
  EXPECT_FALSE(take_activated_listeners());
}

}  // namespace
}  // namespace mapscope
