// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_classic/room.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "agent/runtimes/go_classic/layout.h"
#include "agent/runtimes/go_classic/probes.h"
#include "agent/runtimes/go_classic/reserve.h"
#include "agent/runtimes/go_source.h"
#include "agent/runtimes/go_version.h"

namespace mapscope::go_classic {
namespace {

constexpr uint64_t kMaxLog2 = 48;
// noverflow counts exactly up to here, and a map of more buckets is held against this many.
constexpr uint64_t kMaxOverflowLog2 = 15;

// A profile can inline any one of them away.
constexpr std::array<std::string_view, 3> kLookedFor = {"runtime.hashGrow", "runtime.growWork",
                                                        "runtime.evacuate"};
constexpr std::array<std::string_view, 7> kHosts = {
    "runtime.map",      "runtime.hashGrow",    "runtime.growWork", "runtime.evacuate",
    "runtime.advanceE", "runtime.reflect_map", "reflect.map"};

Result<std::optional<Match>> identify(const Program& program) {
  if (program.go == nullptr) return std::optional<Match>();
  const bool mine = std::any_of(kLookedFor.begin(), kLookedFor.end(), [&](std::string_view name) {
    return program.go->find_function(name).has_value();
  });
  if (!mine) return std::optional<Match>();
  const Result<bool> checked = is_checked_go(program);
  if (!checked) return checked.error();
  // 1.26 has no maps of buckets any more.
  if (!*checked) return unchecked_go(program);
  const GoBuild& build = program.go->build();
  return std::optional(Match{build.text, probes_of(build.version)});
}

Error impossible(const std::string& what) { return {ErrorKind::kCorrupt, "hmap: " + what}; }

// The value of a field that BPF could read; absent otherwise.
std::optional<uint64_t> field(const ms_resize_record& record, BeginField index) {
  if ((record.begin_valid >> index & 1) == 0) return std::nullopt;
  return record.begin_fields[index];
}

// tooManyOverflowBuckets(noverflow, B)
bool has_much_overflow(uint64_t overflow, uint64_t log2) {
  return overflow >= 1ULL << std::min(log2, kMaxOverflowLog2);
}

void apply_type(const ms_resize_record& record, MapTypes* types, uint64_t old_log2,
                uint64_t new_log2, ResizeMeaning* meaning) {
  const std::optional<uint64_t> address = field(record, kType);
  if (types == nullptr || !address) return;
  const GoMapType* type = types->find(*address);
  if (type == nullptr) return;
  meaning->map_type = type->name;
  if (type->group_bytes == 0) return;
  meaning->new_bytes = array_bytes(new_log2, *type, types->version());
  meaning->old_bytes = array_bytes(old_log2, *type, types->version());
  if (meaning->reserve) meaning->reserve->bytes = *meaning->new_bytes;
}

Result<ResizeMeaning> normalize(const ms_resize_record& record, MapTypes* types) {
  const std::optional<uint64_t> log2 = field(record, kLog2);
  const std::optional<uint64_t> count = field(record, kCount);
  if (!log2 || !count) return impossible("could not be read");
  if (*log2 > kMaxLog2) return impossible("2^" + std::to_string(*log2) + " buckets");
  if (*count >> kMaxLog2 != 0) return impossible(std::to_string(*count) + " entries");
  ResizeMeaning meaning;
  const GoVersion version = types == nullptr ? GoVersion() : types->version();
  const bool grows = *count + 1 > max_entries(*log2, version);
  if (!grows && !has_much_overflow(field(record, kOverflow).value_or(UINT64_MAX), *log2))
    return impossible("grows without a reason");
  meaning.kind = grows ? "grow" : "same_size";
  meaning.trigger = grows ? "load" : "overflow";
  // Not the key: that of a map on a goroutine's stack is none.
  meaning.map_addr = field(record, kMap).value_or(0);
  meaning.old_slots = kBucketSlots << *log2;
  meaning.new_slots = kBucketSlots << (grows ? *log2 + 1 : *log2);
  meaning.entries = count;
  meaning.ended_by_clear = (record.end_valid >> kCleared & 1) != 0;
  if (grows) meaning.reserve = reserve_of(*log2 + 1, version);
  apply_type(record, types, *log2, grows ? *log2 + 1 : *log2, &meaning);
  return meaning;
}

constexpr Runtime kRuntime = {
    .name = "go_classic",
    .describe = "Go maps of buckets",
    .looked_for = kLookedFor,
    .hosts = kHosts,
    .identify = identify,
    .normalize = normalize,
    .is_map_code = is_go_map_code,
    .is_map_fatal = is_go_map_fatal,
    .reserve_advice = go_make_advice,
    .origin = go_origin,
    .in_go = true,
};

}  // namespace

const Runtime& runtime() { return kRuntime; }

}  // namespace mapscope::go_classic
