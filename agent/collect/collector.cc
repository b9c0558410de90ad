// SPDX-License-Identifier: Apache-2.0
#include "agent/collect/collector.h"

#include <bpf/libbpf.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace mapscope {
namespace {

constexpr int kDrainIntervalMs = 100;

// Signals belong to the main thread.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Result<std::unique_ptr<Collector>> Collector::start(int ring_fd, size_t queue_bytes) {
  std::unique_ptr<Collector> collector(new Collector(queue_bytes));
  collector->ready_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!collector->ready_.valid()) return system_error("eventfd", errno);
  collector->ring_.reset(ring_buffer__new(ring_fd, on_record, collector.get(), nullptr));
  if (!collector->ring_) return system_error("cannot map the ring buffer", errno);
  if (auto watched = collector->watch_ring(ring_fd); !watched) return std::move(watched).error();
  collector->thread_ = std::thread(&Collector::run, collector.get());
  return collector;
}

// Edge-triggered: data alone must not end the wait, only a forced wake-up, or the reader would spin
// behind the producers.
Status Collector::watch_ring(int ring_fd) {
  wakeups_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (!wakeups_.valid() || ::epoll_ctl(wakeups_.get(), EPOLL_CTL_ADD, ring_fd, &event) != 0) {
    return system_error("cannot watch the ring buffer", errno);
  }
  return Done{};
}

Collector::~Collector() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

int Collector::on_record(void* self, void* data, size_t bytes) {
  static_cast<Collector*>(self)->queue_.accept(data, bytes);
  return 0;
}

void Collector::consume() {
  const std::lock_guard lock(ring_mutex_);
  if (ring_buffer__consume(ring_.get()) <= 0) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(ready_.get(), &one, sizeof(one));
}

void Collector::drain() { consume(); }

void Collector::run() {
  block_signals();
  while (!stopping_) {
    epoll_event event{};
    ::epoll_wait(wakeups_.get(), &event, 1, kDrainIntervalMs);
    consume();
  }
}

bool Collector::take(Batch& batch) {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(ready_.get(), &count, sizeof(count));
  return queue_.take(batch);
}

double Collector::ring_fill_ratio() const {
  const ring* first = ring_buffer__ring(ring_.get(), 0);
  return static_cast<double>(ring__avail_data_size(first)) / static_cast<double>(ring__size(first));
}

}  // namespace mapscope
