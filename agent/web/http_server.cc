// SPDX-License-Identifier: Apache-2.0
#include "agent/web/http_server.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "agent/web/connection.h"
#include "agent/web/password_checker.h"

namespace mapscope {
namespace {

using Clock = Connection::Clock;
using Phase = Connection::Phase;

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr auto kLastAnswers = std::chrono::milliseconds(500);
constexpr auto kNoDescriptors = std::chrono::milliseconds(100);
constexpr int kMostAccepted = 64;  // before the others have their turn

// Signals are the pipeline's: the server's threads inherit a mask that blocks them all.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked(AllSignalsBlocked&&) = delete;
  AllSignalsBlocked& operator=(AllSignalsBlocked&&) = delete;
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

struct HttpServer::State {
  std::vector<Listener> listeners;
  std::unique_ptr<LiveWebSettings> settings;
  size_t max_answers = 0;
  Handler handler;
  UniqueFd wake;
  std::atomic<bool> stopping{false};
  uint64_t next_id = 1;
  std::vector<std::unique_ptr<Connection>> connections;  // oldest first
  Clock::time_point accept_again;                        // no descriptors are free before
  std::unique_ptr<PasswordChecker> passwords;
  std::thread thread;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;
  ~State();

  void run();
  void turn(bool accepting);
  void advance(Connection& connection, short revents);
  void accept_from(const Listener& listener);
  bool make_room();
  void serve(Connection& connection);
  void respond(Connection& connection);
  void take_verdicts();
  void limit_answers();
  void expire();
  [[nodiscard]] int wait_ms(bool accepting) const;
  [[nodiscard]] bool is_sending() const;
};

HttpServer::State::~State() {
  stopping = true;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake.get(), &one, sizeof(one));
  if (thread.joinable()) thread.join();
}

void HttpServer::State::run() {
  pthread_setname_np(pthread_self(), "web");
  while (!stopping) {
    try {
      turn(true);
    } catch (const std::exception&) {
      // Out of memory: whoever waits longest gives some back.
      make_room();
    }
  }
  const Clock::time_point limit = Clock::now() + kLastAnswers;
  for (const auto& connection : connections) {
    if (connection->expendable()) connection->close();
  }
  try {
    while (is_sending() && Clock::now() < limit) turn(false);
  } catch (const std::exception&) {
    // Out of memory: who still waits gets no more.
  }
}

bool HttpServer::State::is_sending() const {
  return std::any_of(connections.begin(), connections.end(),
                     [](const auto& c) { return c->phase() == Phase::kSending; });
}

int HttpServer::State::wait_ms(bool accepting) const {
  if (!accepting) return 10;
  const Clock::time_point now = Clock::now();
  Clock::time_point first = now + std::chrono::hours(1);
  for (const auto& connection : connections) first = std::min(first, connection->deadline());
  if (accept_again > now) first = std::min(first, accept_again);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(first - now).count();
  return static_cast<int>(std::max<int64_t>(0, left) + 1);
}

void HttpServer::State::turn(bool accepting) {
  std::vector<pollfd> wanted = {{wake.get(), POLLIN, 0}};
  const bool may_accept = accepting && Clock::now() >= accept_again;
  for (const Listener& listener : listeners)
    wanted.push_back({listener.fd.get(), static_cast<short>(may_accept ? POLLIN : 0), 0});
  for (const auto& connection : connections) wanted.push_back(connection->wanted());
  if (::poll(wanted.data(), wanted.size(), wait_ms(accepting)) < 0 && errno != EINTR) return;
  if ((wanted[0].revents & POLLIN) != 0) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake.get(), &count, sizeof(count));
  }
  const size_t first = 1 + listeners.size();
  for (size_t i = first; i < wanted.size(); ++i) {
    if (wanted[i].revents != 0) advance(*connections[i - first], wanted[i].revents);
  }
  take_verdicts();
  for (size_t i = 0; i < listeners.size(); ++i) {
    if ((wanted[i + 1].revents & POLLIN) != 0) accept_from(listeners[i]);
  }
  limit_answers();
  expire();
  std::erase_if(connections, [](const auto& c) { return c->phase() == Phase::kClosed; });
}

// What runs out of memory here is one client's.
void HttpServer::State::advance(Connection& connection, short revents) {
  try {
    const bool had_request = connection.phase() == Phase::kRequested;
    connection.advance(revents);
    if (!had_request && connection.phase() == Phase::kRequested) serve(connection);
  } catch (const std::exception&) {
    connection.close();
  }
}

void HttpServer::State::accept_from(const Listener& listener) {
  for (int i = 0; i < kMostAccepted; ++i) {
    UniqueFd fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
      if (exhausted && !make_room()) accept_again = Clock::now() + kNoDescriptors;
      if (exhausted) return;
      if (errno == ECONNABORTED || errno == EINTR) continue;
      return;
    }
    if (connections.size() >= kMaxConnections && !make_room()) return;
    connections.push_back(
        std::make_unique<Connection>(next_id++, std::move(fd), settings->current()));
    // Its request is mostly there already.
    advance(*connections.back(), POLLIN);
  }
}

// Closes the oldest connection that has no request, unless one is closed already.
bool HttpServer::State::make_room() {
  if (std::erase_if(connections, [](const auto& c) { return c->phase() == Phase::kClosed; }) > 0)
    return true;
  const auto oldest = std::find_if(connections.begin(), connections.end(),
                                   [](const auto& connection) { return connection->expendable(); });
  if (oldest == connections.end()) return false;
  connections.erase(oldest);
  return true;
}

void HttpServer::State::serve(Connection& connection) {
  const BasicAuth* auth = connection.settings()->auth.get();
  if (auth == nullptr) return respond(connection);
  auto credentials = parse_basic_auth(connection.request().authorization);
  if (!credentials) {
    connection.answer({401, kText, "unauthorized\n"});
    return connection.advance(POLLOUT);
  }
  if (auth->remembers(*credentials)) return respond(connection);
  if (passwords->ask({connection.id(), connection.settings(), std::move(*credentials)})) return;
  connection.answer({503, kText, "too many passwords are being checked\n"});
  connection.advance(POLLOUT);
}

void HttpServer::State::respond(Connection& connection) {
  const HttpRequest& request = connection.request();
  HttpResponse response{405, kText, "only GET and HEAD\n"};
  if (request.method == "GET" || request.method == "HEAD") {
    try {
      response = handler(request);
    } catch (const std::exception&) {
      response = {500, kText, "internal error\n"};
    }
  }
  connection.answer(response);
  connection.advance(POLLOUT);
}

void HttpServer::State::take_verdicts() {
  for (const auto& [id, right] : passwords->take_verdicts()) {
    const auto found = std::find_if(connections.begin(), connections.end(),
                                    [id = id](const auto& c) { return c->id() == id; });
    if (found == connections.end() || (*found)->phase() != Phase::kRequested) continue;
    if (right) {
      respond(**found);
    } else {
      (*found)->answer({401, kText, "unauthorized\n"});
      (*found)->advance(POLLOUT);
    }
  }
}

void HttpServer::State::limit_answers() {
  auto sending =
      static_cast<size_t>(std::count_if(connections.begin(), connections.end(), [](const auto& c) {
        return c->phase() == Phase::kSending;
      }));
  for (const auto& connection : connections) {
    if (sending <= max_answers) return;
    if (connection->phase() != Phase::kSending) continue;
    connection->close();
    --sending;
  }
}

void HttpServer::State::expire() {
  const Clock::time_point now = Clock::now();
  for (const auto& connection : connections) {
    if (connection->deadline() <= now) connection->close();
  }
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::HttpServer(HttpServer&&) noexcept = default;
HttpServer& HttpServer::operator=(HttpServer&&) noexcept = default;
HttpServer::~HttpServer() = default;

Result<HttpServer> HttpServer::start(std::vector<Listener> listeners,
                                     std::unique_ptr<LiveWebSettings> settings, size_t max_answers,
                                     Handler handler) {
  auto state = std::make_unique<State>();
  state->wake = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->wake.valid()) return system_error("eventfd", errno);
  state->listeners = std::move(listeners);
  state->settings = std::move(settings);
  state->max_answers = std::max<size_t>(1, max_answers);
  state->handler = std::move(handler);
  const AllSignalsBlocked blocked;
  state->passwords = std::make_unique<PasswordChecker>(state->wake.get());
  state->thread = std::thread(&State::run, state.get());
  return HttpServer(std::move(state));
}

const std::vector<Listener>& HttpServer::listeners() const { return state_->listeners; }
const LiveWebSettings& HttpServer::settings() const { return *state_->settings; }

}  // namespace mapscope
