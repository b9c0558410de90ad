// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/sync_map/room.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "agent/runtimes/descriptor.h"
#include "agent/runtimes/go_version.h"
#include "agent/runtimes/sync_map/layout.h"

namespace mapscope::sync_map {
namespace {

constexpr std::string_view kMissLocked = "sync.(*Map).missLocked";
constexpr std::string_view kDirtyLocked = "sync.(*Map).dirtyLocked";
constexpr std::string_view kRange = "sync.(*Map).Range";
constexpr std::string_view kExpand =
    "internal/sync.(*HashTrieMap[go.shape.interface {},go.shape.interface {}]).expand";

constexpr std::array<std::string_view, 3> kLookedFor = {kMissLocked, kDirtyLocked, kExpand};
constexpr std::array<std::string_view, 3> kHosts = {"sync.(*Map).", "internal/sync.(*HashTrieMap[",
                                                    ""};

constexpr uint64_t kMaxEntries = 1ULL << 48;  // and misses, which promote at as many

// The map, wherever the planner finds it.
constexpr ms_field kFound = reg(MS_REG_FOUND);

// Where the sync.Map's first members are, by version.
struct Members {
  int32_t dirty;
  int32_t misses;
};
constexpr Members kUpTo119 = {kDirtyOffsetUpTo119, kMissesOffsetUpTo119};
constexpr Members kSince120 = {kDirtyOffset, kMissesOffset};

// `stores`: what the function calls to publish the new read part, and for nothing else. Its copy in
// another function is probed like itself.
consteval ProbeSpec promotion(std::string_view function, std::string_view stores, Need need,
                              const Members& members, const ProbeSpec* inlined) {
  return {.symbol = function,
          .site = Site::kCall,
          .need = need,
          .descriptor =
              descriptor(MS_PROBE_POINT, {kFound, deref(MS_REG_FOUND, members.misses, 8),
                                          deref2(MS_REG_FOUND, members.dirty, kEntriesOffset, 8)})
                  .key(kMap),
          .why = "the dirty part becomes the one that is read",
          .callee = stores,
          .offset = members.dirty,
          .argument = 0,
          .inlined = inlined};
}

// makemap(type, hint, …): the hint is how many entries will be copied. Before 1.17 it is on the
// stack.
consteval ProbeSpec rebuild(ms_field hint, int32_t dirty, const ProbeSpec* inlined) {
  return {.symbol = kDirtyLocked,
          .site = Site::kCall,
          .need = Need::kOptional,
          .descriptor = descriptor(MS_PROBE_POINT, {kFound, hint, kFound, kFound}).key(kMap),
          .why = "the part that is read is copied for new keys",
          .callee = "runtime.makemap",
          .offset = dirty,
          .argument = 0,
          .inlined = inlined};
}

constexpr std::string_view kStoreValue = "sync/atomic.(*Value).Store";
constexpr std::string_view kStorePointer = "sync/atomic.StorePointer";
constexpr std::string_view kNewObject = "runtime.newobject";
constexpr ms_field kStackHint = deref(MS_REG_SP, 8, 8);
constexpr ms_field kHint = reg(MS_REG_BX);

constexpr ProbeSpec kMissUpTo119 =
    promotion(kMissLocked, kStoreValue, Need::kOptional, kUpTo119, &kMissUpTo119);
constexpr ProbeSpec kRangeUpTo119 =
    promotion(kRange, kStoreValue, Need::kOptional, kUpTo119, &kRangeUpTo119);
constexpr ProbeSpec kMiss =
    promotion(kMissLocked, kStorePointer, Need::kOptional, kSince120, &kMiss);
constexpr ProbeSpec kMissByObject =
    promotion(kMissLocked, kNewObject, Need::kFallback, kSince120, &kMissByObject);
constexpr ProbeSpec kRangeSince120 =
    promotion(kRange, kStorePointer, Need::kOptional, kSince120, &kRangeSince120);
constexpr ProbeSpec kRebuildOnStack = rebuild(kStackHint, kDirtyOffsetUpTo119, &kRebuildOnStack);
constexpr ProbeSpec kRebuildUpTo119 = rebuild(kHint, kDirtyOffsetUpTo119, &kRebuildUpTo119);
constexpr ProbeSpec kRebuild = rebuild(kHint, kDirtyOffset, &kRebuild);

// AX = *HashTrieMap.
constexpr ProbeSpec kExpansion = {
    .symbol = kExpand,
    .site = Site::kEntry,
    .need = Need::kOptional,
    .descriptor = descriptor(MS_PROBE_POINT, {reg(MS_REG_AX), reg(MS_REG_AX), reg(MS_REG_AX),
                                              reg(MS_REG_AX), reg(MS_REG_AX)})
                      .key(kMap),
    .why = "the trie becomes deeper for two keys with like hashes",
};

constexpr std::array<ProbeSpec, 3> kStackTable = {kMissUpTo119, kRangeUpTo119, kRebuildOnStack};
constexpr std::array<ProbeSpec, 3> kTableUpTo119 = {kMissUpTo119, kRangeUpTo119, kRebuildUpTo119};
constexpr std::array<ProbeSpec, 4> kMapTable = {kMiss, kMissByObject, kRangeSince120, kRebuild};
constexpr std::array<ProbeSpec, 1> kTrieTable = {kExpansion};

// `read` became an atomic.Pointer.
constexpr GoVersion kHasPointer{1, 20, 0};

std::span<const ProbeSpec> probes_of(const GoProgram& program) {
  if (program.find_function(kExpand)) return kTrieTable;
  const GoVersion& version = program.build().version;
  if (version < kGoRegisterArguments) return kStackTable;
  return version < kHasPointer ? std::span<const ProbeSpec>(kTableUpTo119) : kMapTable;
}

Result<std::optional<Match>> identify(const Program& program) {
  if (program.go == nullptr) return std::optional<Match>();
  const bool mine = std::any_of(kLookedFor.begin(), kLookedFor.end(), [&](std::string_view name) {
    return program.go->find_function(name).has_value();
  });
  if (!mine) return std::optional<Match>();
  const Result<bool> checked = is_checked_go(program);
  if (!checked) return checked.error();
  const std::span<const ProbeSpec> probes = probes_of(*program.go);
  // Of the trie nothing is read but its address.
  if (!*checked && probes.data() != kTrieTable.data()) return unchecked_go(program);
  return std::optional(Match{program.go->build().text, probes, !*checked});
}

bool is_read(const ms_resize_record& record, Field index) {
  return (record.begin_valid >> index & 1) != 0;
}

Result<ResizeMeaning> normalize(const ms_resize_record& record, MapTypes* /*types*/) {
  ResizeMeaning meaning;
  meaning.map_addr = record.begin_fields[kMap];
  meaning.map_type = "sync.Map";
  if (is_read(record, kExpanded)) {
    meaning.kind = "expansion";
    return meaning;
  }
  const bool rebuilds = is_read(record, kRebuilt);
  const Field entries = rebuilds ? kEntries : kDirtyEntries;
  meaning.kind = rebuilds ? "rebuild" : "promotion";
  if (is_read(record, entries)) meaning.entries = record.begin_fields[entries];
  if (!rebuilds && is_read(record, kMisses)) meaning.misses = record.begin_fields[kMisses];
  if (meaning.entries.value_or(0) > kMaxEntries || meaning.misses.value_or(0) > kMaxEntries) {
    return Error{ErrorKind::kCorrupt, "sync.Map: " + std::to_string(meaning.entries.value_or(0)) +
                                          " entries, " +
                                          std::to_string(meaning.misses.value_or(0)) + " misses"};
  }
  return meaning;
}

constexpr Runtime kRuntime = {
    .name = "sync_map",
    .describe = "Go's sync.Map",
    .looked_for = kLookedFor,
    .hosts = kHosts,
    .identify = identify,
    .normalize = normalize,
    .is_map_code = is_go_map_code,
    .is_map_fatal = is_go_map_fatal,
    .in_go = true,
};

}  // namespace

const Runtime& runtime() { return kRuntime; }

}  // namespace mapscope::sync_map
