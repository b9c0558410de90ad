// SPDX-License-Identifier: Apache-2.0
// target/truth/growth_log.h – what really happened: every growth of every map of a run, kept in
// memory until its end.
//
// Recording costs a growth a few dozen nanoseconds, before its clock starts; there is no lock and
// no I/O. 48 bytes a growth: a minute at 100,000 per second is 288 MB. The log holds 2^26 growths;
// what comes after is counted as dropped. Threads: growth_begins, allocated and waited may be
// called by any thread; the rest when these are done, or by a thread that ends the process, which
// then writes what is complete.
#pragma once

#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <mutex>
#include <vector>

#include "target/map/hash_map.h"

namespace mapscope {

struct GrowthRecord {
  GrowthTimes times;
  uint64_t map = 0;  // address
  uint64_t entries = 0;
  uint32_t tid = 0;  // of the thread whose insert triggered it
  uint8_t old_slots_log2 = 0;
  uint8_t new_slots_log2 = 0;
  uint8_t kind = 0;     // enum mapscope_kind
  uint8_t trigger = 0;  // enum mapscope_trigger
};
static_assert(sizeof(GrowthRecord) == 48);

class GrowthLog : public HashMapObserver {
 public:
  GrowthLog() = default;
  ~GrowthLog() override;
  GrowthLog(const GrowthLog&) = delete;
  GrowthLog& operator=(const GrowthLog&) = delete;

  GrowthTimes* growth_begins(const HashMap& map, const mapscope_growth& growth) override;
  void allocated(uint64_t bytes) override;
  void map_dies(const char* message) override;

  // The calling thread waited for the lock that protects map, and has it now. Kept only when a
  // growth of map overlapped.
  void waited(const HashMap& map, uint64_t from_ns, uint64_t until_ns);
  // Called once with the message of a fatal misuse, by the thread that is about to end the process.
  void on_death(std::function<void(const char* message)> callback) {
    on_death_ = std::move(callback);
  }

  // Growths whose begin time is known, in order of it.
  [[nodiscard]] std::vector<const GrowthRecord*> growths() const;
  [[nodiscard]] uint64_t dropped() const;
  [[nodiscard]] uint64_t allocated_bytes() const { return allocated_bytes_.load(); }
  // Time during which at least one growth was going on; of an unfinished one, its stall.
  [[nodiscard]] uint64_t resizing_ns() const;
  // One JSON line a growth, in order of begin. with_waits: also who waited for the lock during each
  // growth's stall. False when the file cannot be written.
  [[nodiscard]] bool write_truth(std::FILE* file, bool with_waits) const;

 private:
  static constexpr uint64_t kChunkRecords = 1 << 14;
  static constexpr uint64_t kChunks = 1 << 12;

  struct Wait {
    uint64_t from_ns;
    uint64_t until_ns;
  };

  GrowthRecord* chunk(uint64_t number);

  std::atomic<uint64_t> used_{0};
  std::array<std::atomic<GrowthRecord*>, kChunks> chunks_{};
  GrowthTimes untold_;  // where growths beyond the capacity write their times
  std::atomic<uint64_t> allocated_bytes_{0};
  std::mutex waits_mutex_;
  std::vector<Wait> waits_;
  std::function<void(const char*)> on_death_;
};

}  // namespace mapscope
