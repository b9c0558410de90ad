// SPDX-License-Identifier: Apache-2.0
// A container runtime that is asked for names: what it answers, and what it had better not.
#include "agent/discover/cri/container_runtime.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "agent/discover/cri/container_names.h"
#include "agent/discover/cri/unary_call.h"
#include "tests/support/grpc_server.h"
#include "tests/support/poll.h"
#include "tests/support/temporary_directory.h"

namespace mapscope {
namespace {

using test::grpc_framed;
using test::GrpcAnswer;
using test::GrpcServer;

const std::string kId(64, 'c');
const std::string kSandbox(64, '5');

// A field of a length, as protocol buffers are written.
std::string field(unsigned number, const std::string& bytes) {
  std::string out(1, static_cast<char>(number << 3U | 2U));
  if (bytes.size() >= 128) out += static_cast<char>(bytes.size() % 128 | 128U);
  out += static_cast<char>(bytes.size() >= 128 ? bytes.size() / 128 : bytes.size());
  return out + bytes;
}

GrpcAnswer runtime_answers(const std::string& method, const std::string& /*request*/) {
  if (method == "/runtime.v1.RuntimeService/Version") {
    return {grpc_framed(field(1, "0.1.0") + field(2, "containerd") + field(3, "1.6.20") +
                        field(4, "v1"))};
  }
  if (method == "/runtime.v1.RuntimeService/ListContainers") {
    const std::string other = field(1, std::string(64, 'd')) + field(3, field(1, "other"));
    const std::string ours = field(1, kId) + field(2, kSandbox) + field(3, field(1, "store"));
    return {grpc_framed(field(1, other) + field(1, ours))};
  }
  const std::string pod = field(1, "cart-7d9") + field(2, "1a2b") + field(3, "shop");
  return {grpc_framed(field(1, field(1, kSandbox) + field(2, pod)))};
}

Result<std::string> answer_to(const GrpcAnswer& answer) {
  const GrpcServer server(
      [&](const std::string& /*method*/, const std::string& /*request*/) { return answer; });
  return call({.socket = server.socket(), .method = "/a.B/C", .message = "question"});
}

TEST(ContainerRuntime, ConcurrentQuestionsAreAnswered) {
  const GrpcServer server(runtime_answers);
  const ContainerRuntime runtime(server.socket());
  EXPECT_EQ(runtime.version().value(), "containerd 1.6.20");
  const ContainerName named{kId, "1a2b", "shop", "cart-7d9", "store"};
  EXPECT_EQ(runtime.find(kId).value(), named);
  const ContainerName sandbox{kSandbox, "1a2b", "shop", "cart-7d9", ""};
  EXPECT_EQ(runtime.find(kSandbox).value(), sandbox);
  EXPECT_EQ(runtime.find(std::string(64, 'a')).value(), std::nullopt);
}

TEST(ContainerRuntime, AnswersThatAreNoneAreRefused) {
  const GrpcServer server([](const std::string& /*method*/, const std::string& /*request*/) {
    return GrpcAnswer{grpc_framed("\x0a\x7f too short")};
  });
  const ContainerRuntime runtime(server.socket());
  EXPECT_EQ(runtime.version().error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(runtime.find(kId).error().kind, ErrorKind::kCorrupt);
}

TEST(UnaryCall, TakesOneMessageAndNothingElse) {
  for (const std::string& message :
       {std::string("answer"), std::string(), std::string(700000, 'x')}) {
    const auto answer = answer_to({grpc_framed(message)});
    ASSERT_TRUE(answer) << answer.error().text;
    EXPECT_EQ(*answer, message);
  }
  for (const std::string& body :
       {std::string(), std::string("\0\0\0", 3), grpc_framed("answer", true),
        grpc_framed("answer") + "x", grpc_framed("answer").substr(0, 8)}) {
    const auto answer = answer_to({body});
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().kind, ErrorKind::kCorrupt);
  }
}

TEST(UnaryCall, RefusesWhatIsTooLarge) {
  const auto answer = answer_to({grpc_framed(std::string(UnaryCall::kMaxAnswerBytes, 'x'))});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kCorrupt);
}

TEST(UnaryCall, TellsWhyItWasRefused) {
  const auto denied = answer_to({"", {{"grpc-status", "7"}, {"grpc-message", "not you"}}});
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind, ErrorKind::kSystem);
  EXPECT_NE(denied.error().text.find("refused: not you"), std::string::npos);
  const auto unknown = answer_to({"", {{"grpc-status", "12"}}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(answer_to({grpc_framed("x"), {}}).error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(answer_to({"", {{"grpc-status", "0"}}, "404"}).error().kind, ErrorKind::kCorrupt);
}

TEST(UnaryCall, RefusesWhatIsNoHttp2) {
  for (const char* bytes : {"", "HTTP/1.1 400 Bad Request\r\n\r\n", "\x15\x03\x01\x00\x02\x02"}) {
    const GrpcServer server((std::string(bytes)));
    const auto answer = call({.socket = server.socket(), .method = "/a.B/C", .message = {}});
    ASSERT_FALSE(answer) << bytes;
    EXPECT_EQ(answer.error().kind, ErrorKind::kCorrupt) << answer.error().text;
  }
}

TEST(UnaryCall, NamesASocketThatIsNotThere) {
  const test::TemporaryDirectory directory;
  const std::string path = directory / "none.sock";
  const auto missing = call({.socket = path, .method = "/a.B/C", .message = {}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(missing.error().text, path + ": No such file or directory");
  EXPECT_EQ(call({.socket = std::string(200, 'x'), .method = "/a.B/C", .message = {}}).error().kind,
            ErrorKind::kUsage);
}

// Takes every question, and answers none while it lives.
class SilentServer {
 public:
  SilentServer()
      : server_([this](const std::string& /*method*/, const std::string& /*request*/) {
          asked_ = true;
          uint64_t one = 0;
          [[maybe_unused]] const ssize_t length = ::read(done_.get(), &one, sizeof(one));
          return GrpcAnswer{};
        }) {}
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  ~SilentServer() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t length = ::write(done_.get(), &one, sizeof(one));
  }
  [[nodiscard]] const std::string& socket() const { return server_.socket(); }
  [[nodiscard]] bool asked() const { return asked_; }

 private:
  std::atomic<bool> asked_{false};
  UniqueFd done_{::eventfd(0, EFD_CLOEXEC)};
  GrpcServer server_;
};

TEST(UnaryCall, DoesNotWaitForever) {
  const SilentServer server;
  const auto late = call({.socket = server.socket(),
                          .method = "/a.B/C",
                          .message = {},
                          .patience = std::chrono::milliseconds(50)});
  ASSERT_FALSE(late);
  EXPECT_NE(late.error().text.find("no answer within 50 ms"), std::string::npos);
}

TEST(UnaryCall, ConcurrentlyStoppedIsGivenUp) {
  const SilentServer server;
  const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  std::string reason;
  std::thread caller([&] {
    const auto stopped = call({.socket = server.socket(),
                               .method = "/a.B/C",
                               .message = {},
                               .patience = std::chrono::hours(1),
                               .stop_fd = stop.get()});
    if (!stopped) reason = stopped.error().text;
  });
  EXPECT_TRUE(test::poll_until([&] { return server.asked(); }));
  const uint64_t one = 1;
  EXPECT_EQ(::write(stop.get(), &one, sizeof(one)), sizeof(one));
  caller.join();
  EXPECT_NE(reason.find("given up"), std::string::npos) << reason;
}

std::unique_ptr<ContainerNames> started_names(const GrpcServer& server) {
  auto names = ContainerNames::open(server.socket(), std::chrono::milliseconds(1));
  if (!names) throw std::runtime_error(names.error().text);
  (*names)->start();
  return std::move(*names);
}

TEST(ContainerNames, ConcurrentlyAskedAreKnownSoon) {
  const GrpcServer server(runtime_answers);
  const auto names = started_names(server);
  names->set_wanted({kId, std::string(64, 'a')});
  ASSERT_TRUE(test::poll_until([&] { return names->all().size() == 1; }));
  names->set_wanted({});
  EXPECT_EQ(names->all().front().pod, "cart-7d9");
  EXPECT_EQ(names->errors(), 0U);
}

TEST(ContainerNames, ConcurrentSilenceIsCountedAndBridged) {
  std::atomic<bool> silent{true};
  const GrpcServer server([&](const std::string& method, const std::string& request) {
    return silent ? GrpcAnswer{"", {{"grpc-status", "14"}}} : runtime_answers(method, request);
  });
  const auto names = started_names(server);  // names are not what the agent is started for
  names->set_wanted({kId});
  ASSERT_TRUE(test::poll_until([&] { return names->errors() > 2; }));
  EXPECT_TRUE(names->all().empty());
  silent = false;
  ASSERT_TRUE(test::poll_until([&] { return names->all().size() == 1; }));
}

TEST(ContainerNames, ConcurrentOnesThatCannotBeToldHoldUpNoOther) {
  const std::string bad(64, 'a');
  const std::string worse(64, 'e');
  const GrpcServer server([&](const std::string& method, const std::string& request) {
    const bool fails =
        request.find(bad) != std::string::npos || request.find(worse) != std::string::npos;
    return fails ? GrpcAnswer{"", {{"grpc-status", "13"}}} : runtime_answers(method, request);
  });
  const auto names = started_names(server);
  names->set_wanted({bad, kId, worse});
  ASSERT_TRUE(test::poll_until([&] { return names->all().size() == 1; }));
  EXPECT_EQ(names->all().front().container, "store");
}

TEST(ContainerNames, WantARuntimeThatSpeaksIt) {
  const GrpcServer web(std::string("HTTP/1.1 400 Bad Request\r\n\r\n"));
  EXPECT_EQ(ContainerNames::open(web.socket()).error().kind, ErrorKind::kCorrupt);
  const test::TemporaryDirectory directory;
  EXPECT_EQ(ContainerNames::open(directory / "none.sock").error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace mapscope
