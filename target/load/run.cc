// SPDX-License-Identifier: Apache-2.0
#include "target/load/run.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <random>

#include "target/map/clock.h"

namespace mapscope {
namespace {

HashMapOptions map_options(const LoadOptions& options) {
  return {.growth = options.growth,
          .expected_entries = options.reserve,
          .sleep_in_grow_ns = options.sleep_in_grow_us * 1000};
}

int open_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&wanted, signal);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);  // workers inherit it
  return signalfd(-1, &wanted, SFD_CLOEXEC);
}

void add(std::atomic<uint64_t>& count, uint64_t more) {
  count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

void sleep_until(uint64_t due_ns) {
  const timespec due = {static_cast<time_t>(due_ns / 1'000'000'000),
                        static_cast<long>(due_ns % 1'000'000'000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
}

}  // namespace

Run::Run(const LoadOptions& options, RunRecord& record, std::FILE* truth)
    : options_(options),
      record_(record),
      truth_(truth),
      measure_latency_(options.compare),
      lap_keys_(options.inserts != 0 ? options.inserts : options.keys),
      signals_(open_signals()),
      store_(new_store()),
      running_(options.threads),
      lap_end_(options.threads, StartOver{this}) {
  log_.on_death([this](const char* message) {
    RunTotals& totals = record_.totals();
    std::strncpy(totals.message.data(), message, totals.message.size() - 1);
    totals.fatal = 1;
    [[maybe_unused]] const bool written = conclude();
  });
}

Run::~Run() { close(signals_); }

std::unique_ptr<Store> Run::new_store() {
  return make_store(options_.strategy, map_options(options_), &log_);
}

bool Run::execute() {
  {
    std::vector<std::jthread> workers;
    for (unsigned worker = 0; worker < options_.threads; ++worker) {
      workers.emplace_back([this, worker] { work(worker); });
    }
    const bool go = !options_.wait || wait_for_line();
    stop_ = !go;
    record_.totals().start_ns = monotonic_ns();
    go_.count_down();
    if (go) wait_for_end();
    stop_ = true;
  }
  return conclude();
}

// At the end of a run, also when a worker ends the process.
bool Run::conclude() {
  RunTotals& totals = record_.totals();
  totals.end_ns = monotonic_ns();
  totals.resizes = log_.growths().size();
  totals.resizing_ns = log_.resizing_ns();
  totals.allocated_bytes = log_.allocated_bytes();
  if (truth_ == nullptr) return true;
  if (const uint64_t dropped = log_.dropped(); dropped != 0) {
    fmt::print(stderr, "target: {} growths beyond the first {} are missing in the truth\n", dropped,
               totals.resizes.load());
  }
  const bool locked =
      options_.strategy == Strategy::kMutex || options_.strategy == Strategy::kSharedMutex;
  return log_.write_truth(truth_, locked);
}

// True when a newline came, false at end of input or on a signal.
bool Run::wait_for_line() const {
  fmt::print("ready {}\n", getpid());
  std::fflush(stdout);
  pollfd sources[] = {{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}};
  for (;;) {
    if (poll(sources, 2, -1) < 0 && errno != EINTR) return false;
    if (sources[1].revents != 0) return false;
    if (sources[0].revents == 0) continue;
    char byte = 0;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got <= 0) return false;
    if (byte == '\n') return true;
  }
}

void Run::wait_for_end() const {
  const uint64_t start_ns = record_.totals().start_ns;
  const auto limit_ns = static_cast<uint64_t>(options_.seconds * 1e9);
  pollfd source = {signals_, POLLIN, 0};
  for (;;) {
    int timeout_ms = -1;
    if (limit_ns != 0) {
      const uint64_t past_ns = monotonic_ns() - start_ns;
      if (past_ns >= limit_ns) return;
      timeout_ms =
          static_cast<int>(std::min<uint64_t>((limit_ns - past_ns) / 1'000'000 + 1, 1 << 30));
    }
    if (poll(&source, 1, timeout_ms) > 0) return;
  }
}

void Run::work(unsigned worker) {
  go_.wait();
  switch (options_.workload) {
    case Workload::kInserts:
      insert_laps(worker);
      break;
    case Workload::kChurn:
      churn(worker);
      break;
    case Workload::kTiny:
      make_tiny_maps(worker);
      break;
  }
  if (running_.fetch_sub(1) == 1) kill(getpid(), SIGUSR1);
}

void Run::StartOver::operator()() noexcept { run->store_ = run->new_store(); }

// Who leaves drops out of the barrier: those still in a lap must not wait for it.
void Run::insert_laps(unsigned worker) {
  for (;;) {
    insert_lap(worker);
    if (options_.inserts != 0 || stopped()) break;
    lap_end_.arrive_and_wait();
  }
  lap_end_.arrive_and_drop();
}

void Run::insert_lap(unsigned worker) {
  WorkerRecord& record = record_.workers()[worker];
  std::mt19937_64 random(worker);
  const auto read_below = static_cast<uint64_t>(std::ldexp(options_.read_share, 64));
  for (uint64_t key = worker; key < lap_keys_ && !stopped(); key += options_.threads) {
    while (random() < read_below && !stopped()) {
      [[maybe_unused]] const auto value = store_->get(random() % (key + 1));
      add(record.operations, 1);
    }
    put(record, key);
  }
}

void Run::churn(unsigned worker) {
  WorkerRecord& record = record_.workers()[worker];
  const uint64_t distance =
      std::max<uint64_t>(options_.keys / options_.threads, 1) * options_.threads;
  for (uint64_t key = worker; !stopped(); key += options_.threads) {
    if (options_.inserts != 0 && key >= options_.inserts) return;
    if (key >= distance) {
      store_->erase(key - distance);
      add(record.operations, 1);
    }
    put(record, key);
  }
}

void Run::make_tiny_maps(unsigned worker) {
  WorkerRecord& record = record_.workers()[worker];
  HashMapOptions options = map_options(options_);
  options.observer = &log_;
  const uint64_t share = options_.inserts / options_.threads;
  const double ns_per_resize =
      options_.rate == 0 ? 0 : 1e9 * options_.threads / static_cast<double>(options_.rate);
  const uint64_t start_ns = monotonic_ns();
  uint64_t resizes = 0;
  for (bool twice = false; !stopped(); twice = !twice) {
    if (options_.inserts != 0 && record.inserts.load() >= share) return;
    const uint64_t keys = twice ? 14 : 9;  // a map grows at its 9th entry, and again at its 14th
    HashMap map(options);
    for (uint64_t key = 0; key < keys; ++key) map.insert(key, key);
    add(record.inserts, keys);
    add(record.operations, keys);
    resizes += twice ? 2 : 1;
    if (ns_per_resize == 0) continue;
    const uint64_t due_ns =
        start_ns + static_cast<uint64_t>(static_cast<double>(resizes) * ns_per_resize);
    if (due_ns > monotonic_ns()) sleep_until(due_ns);
  }
}

void Run::put(WorkerRecord& record, uint64_t key) {
  if (measure_latency_) {
    const uint64_t from_ns = monotonic_ns();
    store_->put(key, key);
    record.insert_latency.record(monotonic_ns() - from_ns);
  } else {
    store_->put(key, key);
  }
  add(record.operations, 1);
  add(record.inserts, 1);
}

}  // namespace mapscope
