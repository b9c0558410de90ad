// SPDX-License-Identifier: Apache-2.0
#include "agent/runtimes/go_swiss/probes.h"

#include <array>

#include "agent/runtimes/descriptor.h"
#include "agent/runtimes/go_swiss/layout.h"

namespace mapscope::go_swiss {
namespace {

constexpr std::string_view kRehash = "internal/runtime/maps.(*table).rehash";
constexpr std::string_view kPrune = "internal/runtime/maps.(*table).pruneTombstones";
constexpr std::string_view kGrowToTable = "internal/runtime/maps.(*Map).growToTable";
constexpr std::string_view kDiesIn = "internal/runtime/maps.fatal";

// rehash(), pruneTombstones(): AX = *table, BX = *maptype, CX = *Map.
constexpr ms_field kTable = reg(MS_REG_AX);
consteval ms_field table(int32_t offset, uint8_t size) { return deref(MS_REG_AX, offset, size); }

constexpr ProbeSpec kRehashBegin = {
    .symbol = kRehash,
    .site = Site::kEntry,
    .need = Need::kRequired,
    .descriptor =
        descriptor(MS_PROBE_BEGIN,
                   {reg(MS_REG_CX), reg(MS_REG_BX), table(kTableUsedOffset, 2),
                    table(kCapacityOffset, 2), table(kLocalDepthOffset, 1),
                    deref(MS_REG_CX, kDirectoryOffset, 8), deref(MS_REG_CX, kMapUsedOffset, 8)}),
    .why = "a table grows or is split",
};
// rehash() itself has nothing behind what it calls.
constexpr ProbeSpec kGrowEnd = {
    .symbol = "internal/runtime/maps.(*table).grow",
    .site = Site::kNearExit,
    .need = Need::kRequired,
    .descriptor = descriptor(MS_PROBE_END, {}),
    .why = "the table has grown",
};
constexpr ProbeSpec kSplitEnd = {
    .symbol = "internal/runtime/maps.(*Map).installTableSplit",
    .site = Site::kNearExit,
    .need = Need::kRequired,
    .descriptor = descriptor(MS_PROBE_END, {}),
    .why = "the table is split",
};
constexpr ProbeSpec kRehashEnd = {
    .symbol = kRehash,
    .site = Site::kExit,
    .need = Need::kFallback,
    .descriptor = descriptor(MS_PROBE_END, {}).quiet(),
    .why = "the table has grown or is split",
};

// growToTable(): AX = *Map, BX = *maptype. Before 1.27 also without a new key.
constexpr ProbeSpec kGrowToTableFull = {
    .symbol = kGrowToTable,
    .site = Site::kEntry,
    .need = Need::kOptional,
    .descriptor = descriptor(MS_PROBE_BEGIN, {reg(MS_REG_AX), reg(MS_REG_BX),
                                              deref(MS_REG_AX, kMapUsedOffset, 8), reg(MS_REG_AX)}),
    .why = "a small map grows into a table",
};
constexpr ProbeSpec kGrowToTableForNewKey = {
    .symbol = kGrowToTable,
    .site = Site::kEntry,
    .need = Need::kOptional,
    .descriptor = descriptor(MS_PROBE_BEGIN,
                             {reg(MS_REG_AX), reg(MS_REG_BX), deref(MS_REG_AX, kMapUsedOffset, 8)}),
    .why = "a small map grows into a table",
};
constexpr ProbeSpec kGrowToTableEnd = {
    .symbol = kGrowToTable,
    .site = Site::kNearExit,
    .need = Need::kOptional,
    .descriptor = descriptor(MS_PROBE_END, {}).quiet(),
    .why = "the small map has grown into a table",
};

// Called before every rehash; mostly there is nothing to prune.
constexpr ProbeSpec kPruneBegin = {
    .symbol = kPrune,
    .site = Site::kPastEarlyExit,
    .need = Need::kOptional,
    .descriptor =
        descriptor(MS_PROBE_BEGIN, {reg(MS_REG_CX), reg(MS_REG_BX), table(kTableUsedOffset, 2),
                                    table(kCapacityOffset, 2), table(kLocalDepthOffset, 1),
                                    deref(MS_REG_CX, kDirectoryOffset, 8),
                                    deref(MS_REG_CX, kMapUsedOffset, 8), kTable}),
    .why = "the marks of removed entries are to be pruned",
};
// Of its three ways out the last is the one behind `t.growthLeft++`.
constexpr ProbeSpec kPruneEnd = {
    .symbol = kPrune,
    .site = Site::kLastExit,
    .need = Need::kOptional,
    .descriptor = descriptor(MS_PROBE_END, {}).quiet(),
    .why = "they are pruned",
    .offset = kGrowthLeftOffset,
};
constexpr ProbeSpec kPruneCancel = {
    .symbol = kPrune,
    .site = Site::kOtherExits,
    .need = Need::kOptional,
    .descriptor = descriptor(MS_PROBE_CANCEL, {}).quiet(),
    .why = "too few can be pruned; the table will grow instead",
    .offset = kGrowthLeftOffset,
};

constexpr ProbeSpec kFatal = {
    .symbol = "runtime.fatal",
    .site = Site::kEntry,
    .need = Need::kOptional,
    .descriptor = descriptor(MS_PROBE_FATAL, {reg(MS_REG_AX), reg(MS_REG_BX)}).text(0).length(1),
    .why = "the process dies of a misused map",
};

struct Writer {
  std::string_view function;
  ms_register map_type;
  ms_register map;
};

// In the block that only a failed check leads to.
consteval ProbeSpec failed_check(std::string_view function, uint8_t argument,
                                 ms_field checked_map) {
  return {.symbol = function,
          .site = Site::kCall,
          .need = Need::kDetail,
          .descriptor = descriptor(MS_PROBE_FAILED_CHECK, {checked_map}),
          .why = "the map that the process dies of",
          .callee = kDiesIn,
          .argument = argument};
}

constexpr std::array<Writer, 5> kAssign = {{
    {"runtime.mapassign", MS_REG_AX, MS_REG_BX},
    {"runtime.mapassign_fast32", MS_REG_AX, MS_REG_BX},
    {"runtime.mapassign_fast64", MS_REG_AX, MS_REG_BX},
    {"runtime.mapassign_fast64ptr", MS_REG_AX, MS_REG_BX},
    {"runtime.mapassign_faststr", MS_REG_AX, MS_REG_BX},
}};
constexpr std::array<Writer, 2> kRemove = {{
    {"internal/runtime/maps.(*Map).Delete", MS_REG_BX, MS_REG_AX},
    {"internal/runtime/maps.(*Map).Clear", MS_REG_BX, MS_REG_AX},
}};

consteval ProbeSpec entry_of(const Writer& writer, Mode mode, ms_probe_kind kind,
                             std::string_view why) {
  return {.symbol = writer.function,
          .site = Site::kEntry,
          .need = Need::kOptional,
          .mode = mode,
          .descriptor = descriptor(kind, {reg(writer.map_type), reg(writer.map)}),
          .why = why};
}

// A write of races mode ends at the return: between the last check and that the map still says that
// it is being written, and who comes then dies.
consteval ProbeSpec exit_of(const Writer& writer, Mode mode, ms_probe_kind kind,
                            std::string_view why) {
  return {.symbol = writer.function,
          .site = mode == Mode::kRaces ? Site::kExit : Site::kLastCheck,
          .need = Need::kOptional,
          .mode = mode,
          .descriptor = descriptor(kind, {}),
          .why = why,
          .callee = kDiesIn};
}

// A write that panics, for a key that cannot be hashed or a map that is nil, does not return. Locks
// are given up after that, by deferred calls.
constexpr ProbeSpec kPanic = {
    .symbol = "runtime.gopanic",
    .site = Site::kEntry,
    .need = Need::kOptional,
    .mode = Mode::kRaces,
    .descriptor = descriptor(MS_PROBE_WRITE_END, {}),
    .why = "a write that panics is over",
};

// Functions that check for a concurrent writer, and which argument the map is.
struct Checker {
  std::string_view function;
  uint8_t map_argument;
};
constexpr std::array<Checker, 23> kCheckers = {{
    {"runtime.mapaccess1", 1},
    {"runtime.mapaccess2", 1},
    {"runtime.mapaccess1_fast32", 1},
    {"runtime.mapaccess2_fast32", 1},
    {"runtime.mapaccess1_fast64", 1},
    {"runtime.mapaccess2_fast64", 1},
    {"runtime.mapaccess1_faststr", 1},
    {"runtime.mapaccess2_faststr", 1},
    {"runtime.mapassign", 1},
    {"runtime.mapassign_fast32", 1},
    {"runtime.mapassign_fast64", 1},
    {"runtime.mapassign_fast64ptr", 1},
    {"runtime.mapassign_faststr", 1},
    {"internal/runtime/maps.(*Map).getWithKey", 0},
    {"internal/runtime/maps.(*Map).PutSlot", 0},
    {"internal/runtime/maps.(*Map).putSlotSmall", 0},
    {"internal/runtime/maps.(*Map).putSlotSmallFast32", 0},
    {"internal/runtime/maps.(*Map).putSlotSmallFast64", 0},
    {"internal/runtime/maps.(*Map).putSlotSmallFastPtr", 0},
    {"internal/runtime/maps.(*Map).putSlotSmallFastStr", 0},
    {"internal/runtime/maps.(*Map).Delete", 0},
    {"internal/runtime/maps.(*Map).Clear", 0},
    {"internal/runtime/maps.(*Map).Clone", 0},
}};
constexpr ProbeSpec kCheckedIteration = failed_check("internal/runtime/maps.(*Iter).Next", 0,
                                                     deref(MS_REG_FOUND, kIteratorMapOffset, 8));

constexpr size_t kProbes =
    13 + kCheckers.size() + 2 * kAssign.size() + 2 * (kAssign.size() + kRemove.size());

consteval std::array<ProbeSpec, kProbes> make_table(const ProbeSpec& grow_to_table) {
  std::array<ProbeSpec, kProbes> out;
  size_t count = 0;
  for (const ProbeSpec& spec :
       {kRehashBegin, kGrowEnd, kRehashEnd, kSplitEnd, kRehashEnd, grow_to_table, kGrowToTableEnd,
        kPruneBegin, kPruneEnd, kPruneCancel, kFatal, kCheckedIteration, kPanic})
    out[count++] = spec;
  for (const Checker& checker : kCheckers)
    out[count++] = failed_check(checker.function, checker.map_argument, reg(MS_REG_FOUND));
  for (const Writer& writer : kAssign) {
    out[count++] = entry_of(writer, Mode::kInserts, MS_PROBE_INSERT, "counts inserts");
    out[count++] = exit_of(writer, Mode::kInserts, MS_PROBE_INSERT_END, "the insert is over");
  }
  for (const Writer& writer : kAssign) {
    out[count++] = entry_of(writer, Mode::kRaces, MS_PROBE_WRITE, "an insert begins");
    out[count++] = exit_of(writer, Mode::kRaces, MS_PROBE_WRITE_END, "the insert is over");
  }
  for (const Writer& writer : kRemove) {
    out[count++] = entry_of(writer, Mode::kRaces, MS_PROBE_WRITE, "a removal begins");
    out[count++] = exit_of(writer, Mode::kRaces, MS_PROBE_WRITE_END, "the removal is over");
  }
  return out;
}

constexpr auto kGrowsFull = make_table(kGrowToTableFull);
constexpr auto kGrowsForNewKey = make_table(kGrowToTableForNewKey);

// Source: golang/go src/internal/runtime/maps/runtime.go at go1.26.11 ("TODO(prattmic): If this is
// an update to an existing key then we actually don't need to grow.") and at go1.27.4.
constexpr GoVersion kGrowsForNewKeyOnly{1, 27, 0};

}  // namespace

std::span<const ProbeSpec> probes_of(const GoVersion& version) {
  return version < kGrowsForNewKeyOnly ? kGrowsFull : kGrowsForNewKey;
}

}  // namespace mapscope::go_swiss
