// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/cxx_target/room.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "agent/runtimes/descriptor.h"
#include "target/map/mapscope_map.h"

namespace mapscope::cxx_target {
namespace {

constexpr std::string_view kPrefix = "mapscope_map_";
constexpr uint64_t kMaxSlots = 1ULL << 48;
constexpr std::string_view kOwnType = "mapscope::HashMap";
constexpr uint64_t kOwnBucketSlots = 8;

#define GROWTH_MEMBER(member) \
  deref(MS_REG_SI, offsetof(mapscope_growth, member), sizeof(mapscope_growth::member))

constexpr std::array<ProbeSpec, 5> kProbes = {{
    {.symbol = "mapscope_map_grow",
     .site = Site::kEntry,
     .need = Need::kRequired,
     .mode = Mode::kResizes,
     .descriptor = descriptor(MS_PROBE_BEGIN,
                              {reg(MS_REG_DI), GROWTH_MEMBER(old_slots), GROWTH_MEMBER(new_slots),
                               GROWTH_MEMBER(entries), GROWTH_MEMBER(new_bytes),
                               GROWTH_MEMBER(kind), GROWTH_MEMBER(trigger), GROWTH_MEMBER(type)})
                       .key(kMap)
                       .text(kType),
     .why = "a resize begins"},
    {.symbol = "mapscope_map_grow",
     .site = Site::kExit,
     .need = Need::kOptional,
     .mode = Mode::kResizes,
     .descriptor = descriptor(MS_PROBE_SYNC_END, {}),
     .why = "what this one insert paid is over"},
    {.symbol = "mapscope_map_finish_growth",
     .site = Site::kEntry,
     .need = Need::kRequired,
     .mode = Mode::kResizes,
     .descriptor = descriptor(MS_PROBE_END, {reg(MS_REG_DI)}).key(kMap),
     .why = "the resize is complete"},
    {.symbol = "mapscope_map_fatal",
     .site = Site::kEntry,
     .need = Need::kOptional,
     .mode = Mode::kResizes,
     .descriptor = descriptor(MS_PROBE_FATAL, {reg(MS_REG_DI), reg(MS_REG_SI)}).key(0).text(1),
     .why = "the process dies of a misused map"},
    {.symbol = "mapscope_map_insert",
     .site = Site::kEntry,
     .need = Need::kOptional,
     .mode = Mode::kInserts,
     .descriptor = descriptor(MS_PROBE_INSERT, {}),
     .why = "counts inserts"},
}};
#undef GROWTH_MEMBER

constexpr std::array<std::string_view, 2> kLookedFor = {"mapscope_map_grow",
                                                        "mapscope_map_finish_growth"};

Result<std::optional<Match>> identify(const Program& program) {
  const bool mine = std::any_of(kLookedFor.begin(), kLookedFor.end(), [&](std::string_view name) {
    return program.elf.find_function(name).has_value();
  });
  return mine ? std::optional(Match{"", kProbes}) : std::nullopt;
}

Error impossible(const std::string& what) {
  return {ErrorKind::kCorrupt, "mapscope_growth: " + what};
}

std::string_view kind_name(uint64_t kind) {
  if (kind == MAPSCOPE_KIND_GROW) return "grow";
  if (kind == MAPSCOPE_KIND_SAME_SIZE) return "same_size";
  return "";
}

std::string_view trigger_name(uint64_t trigger) {
  if (trigger == MAPSCOPE_TRIGGER_LOAD) return "load";
  if (trigger == MAPSCOPE_TRIGGER_OVERFLOW) return "overflow";
  return "";
}

// The value of a field that BPF could read; absent otherwise.
std::optional<uint64_t> field(const ms_resize_record& record, Field index) {
  if ((record.begin_valid >> index & 1) == 0) return std::nullopt;
  return record.begin_fields[index];
}

Status check_slots(const ResizeMeaning& meaning) {
  for (const std::optional<uint64_t>& slots :
       {meaning.old_slots, meaning.new_slots, meaning.entries}) {
    if (slots && *slots > kMaxSlots) return impossible("sizes beyond 2^48");
  }
  if (!meaning.old_slots || !meaning.new_slots) return Done{};
  if (meaning.kind == "grow" && *meaning.new_slots < *meaning.old_slots)
    return impossible("a grow that shrinks");
  if (meaning.kind == "same_size" && *meaning.new_slots != *meaning.old_slots) {
    return impossible("a same_size that changes the size");
  }
  return Done{};
}

// Of target/map/hash_map.h: 6.5 entries a bucket of 8 slots, and 8 in a single one. What other maps
// hold their symbols do not say.
uint64_t holds(std::string_view map_type, uint64_t slots) {
  if (map_type != kOwnType) return 0;
  return slots <= kOwnBucketSlots ? kOwnBucketSlots : slots / kOwnBucketSlots * 13 / 2;
}

// REQUIRES: sizes are bounded.
void apply_reserve(ResizeMeaning* meaning) {
  if (!meaning->old_slots || !meaning->new_slots || *meaning->new_slots <= *meaning->old_slots)
    return;
  Reserve& reserve = meaning->reserve.emplace();
  reserve.slots = *meaning->new_slots;
  reserve.hint = meaning->entries.value_or(*meaning->old_slots) + 1;
  reserve.holds = holds(meaning->map_type, reserve.slots);
  if (!meaning->new_bytes) return;
  reserve.bytes = *meaning->new_bytes;
  // The contract has one kind of slot.
  const double share =
      static_cast<double>(*meaning->old_slots) / static_cast<double>(reserve.slots);
  meaning->old_bytes = static_cast<uint64_t>(share * static_cast<double>(reserve.bytes));
}

Result<ResizeMeaning> normalize(const ms_resize_record& record, MapTypes* /*types*/) {
  const std::optional<uint64_t> kind = field(record, kKind);
  if (!kind) return impossible("could not be read");
  ResizeMeaning meaning;
  meaning.kind = kind_name(*kind);
  if (meaning.kind.empty()) return impossible("unknown kind " + std::to_string(*kind));
  if (const auto trigger = field(record, kTrigger)) {
    meaning.trigger = trigger_name(*trigger);
    if (meaning.trigger.empty()) return impossible("unknown trigger " + std::to_string(*trigger));
  }
  meaning.map_addr = record.key;
  meaning.map_type = {record.text, strnlen(record.text, sizeof(record.text))};
  meaning.old_slots = field(record, kOldSlots);
  meaning.new_slots = field(record, kNewSlots);
  meaning.entries = field(record, kEntries);
  meaning.new_bytes = field(record, kNewBytes);
  if (meaning.new_bytes == 0U) meaning.new_bytes.reset();
  if (Status checked = check_slots(meaning); !checked) return std::move(checked).error();
  apply_reserve(&meaning);
  return meaning;
}

bool is_map_code(std::string_view function, std::string_view map_type) {
  if (function.starts_with(kPrefix)) return true;
  if (map_type.empty() || !function.starts_with(map_type)) return false;
  const std::string_view rest = function.substr(map_type.size());
  return rest.starts_with("::") || rest.starts_with('_');
}

std::string reserve_advice(std::string_view /*map_type*/, uint64_t entries,
                           std::string_view /*function*/) {
  std::string digits = std::to_string(entries);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return "reserving " + digits + (entries == 1 ? " entry" : " entries");
}

constexpr Runtime kRuntime = {
    .name = "cxx_target",
    .describe = "native map with the mapscope_map_* symbols",
    .looked_for = kLookedFor,
    .hosts = {},
    .identify = identify,
    .normalize = normalize,
    .is_map_code = is_map_code,
    .reserve_advice = reserve_advice,
};

}  // namespace

const Runtime& runtime() { return kRuntime; }

}  // namespace mapscope::cxx_target
