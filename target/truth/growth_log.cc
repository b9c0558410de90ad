// SPDX-License-Identifier: Apache-2.0
#include "target/truth/growth_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>

namespace mapscope {
namespace {

uint32_t current_tid() {
  thread_local const auto tid = static_cast<uint32_t>(gettid());
  return tid;
}

uint64_t begin_of(const GrowthRecord& growth) { return growth.times.begin_ns.load(); }
uint64_t stall_end_of(const GrowthRecord& growth) {
  return begin_of(growth) + growth.times.stall_ns.load();
}

std::string_view kind_name(uint8_t kind) {
  return kind == MAPSCOPE_KIND_SAME_SIZE ? "same_size" : "grow";
}
std::string_view trigger_name(uint8_t trigger) {
  return trigger == MAPSCOPE_TRIGGER_OVERFLOW ? "overflow" : "load";
}

struct Blocked {
  uint64_t threads = 0;
  uint64_t ns = 0;
};

void append_line(fmt::memory_buffer& out, const GrowthRecord& growth, const Blocked* blocked) {
  auto at = std::back_inserter(out);
  fmt::format_to(at, R"({{"begin_ns":{})", begin_of(growth));
  if (const uint64_t end_ns = growth.times.end_ns.load(); end_ns != 0) {
    fmt::format_to(at, R"(,"end_ns":{})", end_ns);
  }
  if (const uint64_t stall_ns = growth.times.stall_ns.load(); stall_ns != 0) {
    fmt::format_to(at, R"(,"stall_ns":{})", stall_ns);
  }
  fmt::format_to(
      at,
      R"(,"tid":{},"map":"{:#x}","old_slots":{},"new_slots":{},"entries":{},"kind":"{}","trigger":"{}")",
      growth.tid, growth.map, uint64_t{1} << growth.old_slots_log2,
      uint64_t{1} << growth.new_slots_log2, growth.entries, kind_name(growth.kind),
      trigger_name(growth.trigger));
  if (blocked != nullptr) {
    fmt::format_to(at, R"(,"blocked_threads":{},"blocked_ns":{})", blocked->threads, blocked->ns);
  }
  out.append(std::string_view("}\n"));
}

}  // namespace

GrowthLog::~GrowthLog() {
  for (auto& chunk : chunks_) delete[] chunk.load();
}

GrowthRecord* GrowthLog::chunk(uint64_t number) {
  std::atomic<GrowthRecord*>& place = chunks_.at(number);
  GrowthRecord* records = place.load(std::memory_order_acquire);
  if (records != nullptr) return records;
  auto* fresh = new GrowthRecord[kChunkRecords];
  if (place.compare_exchange_strong(records, fresh)) return fresh;
  delete[] fresh;
  return records;
}

GrowthTimes* GrowthLog::growth_begins(const HashMap& map, const mapscope_growth& growth) {
  const uint64_t index = used_.fetch_add(1, std::memory_order_relaxed);
  if (index >= kChunks * kChunkRecords) return &untold_;
  GrowthRecord& record = chunk(index / kChunkRecords)[index % kChunkRecords];
  record.map = reinterpret_cast<uint64_t>(&map);
  record.entries = growth.entries;
  record.tid = current_tid();
  record.old_slots_log2 = static_cast<uint8_t>(std::countr_zero(growth.old_slots));
  record.new_slots_log2 = static_cast<uint8_t>(std::countr_zero(growth.new_slots));
  record.kind = static_cast<uint8_t>(growth.kind);
  record.trigger = static_cast<uint8_t>(growth.trigger);
  return &record.times;
}

void GrowthLog::allocated(uint64_t bytes) {
  allocated_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void GrowthLog::map_dies(const char* message) {
  if (on_death_) on_death_(message);
}

void GrowthLog::waited(const HashMap& map, uint64_t from_ns, uint64_t until_ns) {
  const GrowthTimes* last = map.last_growth();
  if (last == nullptr || last->begin_ns + last->stall_ns < from_ns) return;
  const std::lock_guard lock(waits_mutex_);
  waits_.push_back({from_ns, until_ns});
}

std::vector<const GrowthRecord*> GrowthLog::growths() const {
  const uint64_t used = std::min(used_.load(), kChunks * kChunkRecords);
  std::vector<const GrowthRecord*> growths;
  growths.reserve(used);
  for (uint64_t index = 0; index < used; ++index) {
    const GrowthRecord* records = chunks_.at(index / kChunkRecords).load(std::memory_order_acquire);
    if (records == nullptr) continue;
    const GrowthRecord& record = records[index % kChunkRecords];
    if (record.times.begin_ns.load(std::memory_order_acquire) != 0) growths.push_back(&record);
  }
  std::sort(growths.begin(), growths.end(),
            [](const GrowthRecord* left, const GrowthRecord* right) {
              return begin_of(*left) < begin_of(*right);
            });
  return growths;
}

uint64_t GrowthLog::dropped() const {
  const uint64_t used = used_.load();
  return used - std::min(used, kChunks * kChunkRecords);
}

uint64_t GrowthLog::resizing_ns() const {
  uint64_t total_ns = 0;
  uint64_t covered_ns = 0;  // everything before this time is accounted for
  for (const GrowthRecord* growth : growths()) {
    const uint64_t end_ns = std::max(growth->times.end_ns.load(), stall_end_of(*growth));
    if (end_ns <= covered_ns) continue;
    total_ns += end_ns - std::max(begin_of(*growth), covered_ns);
    covered_ns = end_ns;
  }
  return total_ns;
}

bool GrowthLog::write_truth(std::FILE* file, bool with_waits) const {
  const std::vector<const GrowthRecord*> growths = this->growths();
  std::vector<Blocked> blocked(with_waits ? growths.size() : 0);
  if (with_waits) {
    // The stalls of one lock's maps follow one another, and a thread that waited at any time of a
    // stall waited to its end.
    for (const Wait& wait : waits_) {
      auto first = std::partition_point(growths.begin(), growths.end(), [&](const auto* growth) {
        return stall_end_of(*growth) <= wait.from_ns;
      });
      for (; first != growths.end() && begin_of(**first) < wait.until_ns; ++first) {
        Blocked& total = blocked[static_cast<size_t>(first - growths.begin())];
        ++total.threads;
        total.ns += std::min(stall_end_of(**first), wait.until_ns) -
                    std::max(begin_of(**first), wait.from_ns);
      }
    }
  }
  fmt::memory_buffer out;
  for (size_t index = 0; index < growths.size(); ++index) {
    append_line(out, *growths[index], with_waits ? &blocked[index] : nullptr);
    if (out.size() < 1 << 20 && index + 1 < growths.size()) continue;
    if (std::fwrite(out.data(), 1, out.size(), file) != out.size()) return false;
    out.clear();
  }
  return std::fflush(file) == 0;
}

}  // namespace mapscope
