// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_swiss/room.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>
#include <utility>

#include "agent/runtimes/go_allocator.h"
#include "agent/runtimes/go_source.h"
#include "agent/runtimes/go_swiss/layout.h"
#include "agent/runtimes/go_swiss/probes.h"
#include "agent/runtimes/go_swiss/reserve.h"
#include "agent/runtimes/go_version.h"

namespace mapscope::go_swiss {
namespace {

constexpr uint64_t kMaxDirectory = 1ULL << 40;

// A profile can inline any one of them away.
constexpr std::array<std::string_view, 3> kLookedFor = {"internal/runtime/maps.(*table).rehash",
                                                        "internal/runtime/maps.(*Map).growToTable",
                                                        "internal/runtime/maps.newTable"};
constexpr std::array<std::string_view, 3> kHosts = {"runtime.map", "internal/runtime/maps.",
                                                    "reflect.map"};

constexpr std::array<std::string_view, 1> kRehash = {"internal/runtime/maps.(*table).rehash"};
constexpr std::array<std::string_view, 1> kPutSlot = {
    "internal/runtime/maps.(*table).uncheckedPutSlot"};
constexpr std::array<std::string_view, 1> kInstall = {
    "internal/runtime/maps.(*Map).installTableSplit"};
constexpr std::array<std::string_view, 1> kNext = {"internal/runtime/maps.(*Iter).Next"};
constexpr std::array<std::string_view, 5> kAssign = {
    "runtime.mapassign", "runtime.mapassign_fast32", "runtime.mapassign_fast64",
    "runtime.mapassign_fast64ptr", "runtime.mapassign_faststr"};

// Every member that a probe reads.
using Fact = LayoutFact::Kind;
constexpr std::array<LayoutFact, 8> kFacts = {{
    {kRehash, Fact::kReadFirst, 0, kCapacityOffset, 2, "capacity of a table"},
    {kRehash, Fact::kCompared, 0, kMaxTableSlots, 0, "most slots of a table"},
    {kPutSlot, Fact::kCountedUp, 0, kTableUsedOffset, 2, "entries of a table"},
    {kPutSlot, Fact::kCountedDown, 0, kGrowthLeftOffset, 2, "slots left in a table"},
    {kInstall, Fact::kReadFirst, 1, kLocalDepthOffset, 1, "depth of a table"},
    {kInstall, Fact::kReadFirst, 0, kDirectoryOffset, 8, "length of the directory"},
    {kAssign, Fact::kCountedUp, 1, kMapUsedOffset, 8, "entries of a map"},
    {kNext, Fact::kReadFirst, 0, kIteratorMapOffset, 8, "map of an iterator", true},
}};

Result<std::optional<Match>> identify(const Program& program) {
  if (program.go == nullptr) return std::optional<Match>();
  const bool mine = std::any_of(kLookedFor.begin(), kLookedFor.end(), [&](std::string_view name) {
    return program.go->find_function(name).has_value();
  });
  if (!mine) return std::optional<Match>();
  const Result<bool> checked = is_checked_go(program);
  if (!checked) return checked.error();
  const GoBuild& build = program.go->build();
  return std::optional(Match{build.text, probes_of(build.version), !*checked, kFacts});
}

Error impossible(const std::string& what) {
  return {ErrorKind::kCorrupt, "internal/runtime/maps: " + what};
}

bool is_read(const ms_resize_record& record, Field index) {
  return (record.begin_valid >> index & 1) != 0;
}

// 7/8 of the slots; of a table of one group, all but one.
uint64_t max_load(uint64_t slots) { return slots - slots / kGroupSlots; }

// nullptr: the type of the map is not known.
const GoMapType* type_of(const ms_resize_record& record, MapTypes* types) {
  return types == nullptr || !is_read(record, kType) ? nullptr
                                                     : types->find(record.begin_fields[kType]);
}

// `made`: what a program has to ask for to get at once what this growth makes of the map.
void apply_reserve(const Shape& made, const GoMapType* type, MapTypes* types,
                   ResizeMeaning* meaning) {
  meaning->reserve = reserve_of(made, type, types == nullptr ? GoVersion() : types->version());
  if (type != nullptr) meaning->map_type = type->name;
}

Result<ResizeMeaning> small_to_table(const ms_resize_record& record, MapTypes* types) {
  if (!is_read(record, kUsed)) return impossible("a small map could not be read");
  const uint64_t used = record.begin_fields[kUsed];
  if (used > kGroupSlots) return impossible("a small map of " + std::to_string(used) + " entries");
  ResizeMeaning meaning;
  meaning.kind = "small_to_table";
  meaning.trigger = is_read(record, kFullOnly) ? "full" : "load";
  meaning.old_slots = kGroupSlots;
  meaning.new_slots = kFirstTableSlots;
  meaning.entries = used;
  meaning.old_directory = 0;
  meaning.new_directory = 1;
  const GoMapType* type = type_of(record, types);
  apply_reserve({1, kFirstTableSlots}, type, types, &meaning);
  if (type == nullptr) return meaning;
  const GoVersion& version = types->version();
  meaning.old_bytes = go_allocated_bytes({type->group_bytes, type->group_has_pointers}, version);
  meaning.new_bytes = meaning.reserve->bytes;
  return meaning;
}

// What rehash() and pruneTombstones() are told of the table.
struct Table {
  uint64_t used;
  uint64_t capacity;
  uint64_t local_depth;
  uint64_t directory;
};

Result<Table> read_table(const ms_resize_record& record) {
  for (const Field index : {kUsed, kCapacity, kLocalDepth, kDirectory, kMapUsed}) {
    if (!is_read(record, index)) return impossible("a table could not be read");
  }
  const uint64_t* fields = record.begin_fields;
  const Table table{fields[kUsed], fields[kCapacity], fields[kLocalDepth], fields[kDirectory]};
  if (!std::has_single_bit(table.capacity) || table.capacity < kGroupSlots ||
      table.capacity > kMaxTableSlots)
    return impossible("a table of " + std::to_string(table.capacity) + " slots");
  if (table.used > max_load(table.capacity))
    return impossible(std::to_string(table.used) + " entries in " + std::to_string(table.capacity) +
                      " slots");
  if (!std::has_single_bit(table.directory) || table.directory > kMaxDirectory)
    return impossible("a directory of " + std::to_string(table.directory));
  if (table.local_depth > static_cast<uint64_t>(std::countr_zero(table.directory)))
    return impossible("a table deeper than its directory");
  return table;
}

Result<ResizeMeaning> prune(const ms_resize_record& record, MapTypes* types) {
  const Result<Table> table = read_table(record);
  if (!table) return table.error();
  ResizeMeaning meaning;
  meaning.kind = "prune";
  meaning.trigger = "tombstones";
  meaning.old_slots = meaning.new_slots = table->capacity;
  meaning.entries = record.begin_fields[kMapUsed];
  meaning.old_directory = meaning.new_directory = table->directory;
  if (const GoMapType* type = type_of(record, types); type != nullptr)
    meaning.map_type = type->name;
  return meaning;
}

void apply_bytes(const Table& table, const GoMapType& type, const GoVersion& version,
                 ResizeMeaning* meaning) {
  const bool splits = meaning->level.has_value();
  meaning->old_bytes = table_bytes(table.capacity, type, version);
  meaning->new_bytes =
      splits ? 2 * *meaning->old_bytes : table_bytes(2 * table.capacity, type, version);
  if (meaning->new_directory == meaning->old_directory) return;
  *meaning->old_bytes += directory_bytes(*meaning->old_directory, version);
  *meaning->new_bytes += directory_bytes(*meaning->new_directory, version);
}

Result<ResizeMeaning> rehash(const ms_resize_record& record, MapTypes* types) {
  const Result<Table> table = read_table(record);
  if (!table) return table.error();
  ResizeMeaning meaning;
  const bool splits = table->capacity == kMaxTableSlots;
  meaning.kind = splits ? "split" : "grow";
  // growthLeft is 0 here, so what is missing was removed and still takes a slot.
  meaning.trigger = table->used < max_load(table->capacity) ? "tombstones" : "load";
  meaning.old_slots = table->capacity;
  meaning.new_slots = 2 * table->capacity;
  meaning.entries = record.begin_fields[kMapUsed];
  const bool doubles =
      splits && table->local_depth == static_cast<uint64_t>(std::countr_zero(table->directory));
  meaning.old_directory = table->directory;
  meaning.new_directory = doubles ? 2 * table->directory : table->directory;
  if (splits) meaning.level = static_cast<uint32_t>(table->local_depth);
  const GoMapType* type = type_of(record, types);
  const Shape made = splits ? Shape{uint64_t{2} << table->local_depth, kMaxTableSlots}
                            : Shape{table->directory, 2 * table->capacity};
  apply_reserve(made, type, types, &meaning);
  if (type != nullptr) apply_bytes(*table, *type, types->version(), &meaning);
  return meaning;
}

Result<ResizeMeaning> normalize(const ms_resize_record& record, MapTypes* types) {
  Result<ResizeMeaning> meaning = is_read(record, kPruned)    ? prune(record, types)
                                  : is_read(record, kMapUsed) ? rehash(record, types)
                                                              : small_to_table(record, types);
  if (meaning) meaning->map_addr = record.begin_fields[kMap];
  return meaning;
}

constexpr Runtime kRuntime = {
    .name = "go_swiss",
    .describe = "Go swiss maps",
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

}  // namespace mapscope::go_swiss
